// The smallest Go guest: one line on stdout.
package main

import "fmt"

func main() {
	fmt.Println("Hello from Go!")
}
