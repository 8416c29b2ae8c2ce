// Walk lists the tree below each argument (or the working directory) in lexical order, one entry a line: mode, size,
// path.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	roots := os.Args[1:]
	if len(roots) == 0 {
		roots = []string{"."}
	}
	failed := false
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			fmt.Println(info.Mode().Type(), info.Size(), path)
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, "walk:", err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
