;; Wants a function that no WASI host has.
(module
  (import "no_such_module" "no_such_function" (func $missing))
  (memory (export "memory") 1)
  (func (export "_start") (call $missing)))
