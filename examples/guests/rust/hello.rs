//! The smallest Rust guest: one line on stdout.

fn main() {
    println!("Hello from Rust!");
}
