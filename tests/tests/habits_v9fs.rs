//! What the Linux kernel's own 9P client makes of our files, on three generations of it in QEMU: the table of shell habits in
//! every dialect and cache.

use tests::kernel::{Kernel, is_fast, third};
use tests::matrix::{Cell, every_habit_in_every_cell};
use tests::users::every_access_is_what_its_name_says;

#[test]
fn shell_habits_work_on_the_systems_own_kernel() {
    on("base", is_fast());
}

#[test]
fn shell_habits_work_on_the_backports_kernel() {
    on("backports", is_fast());
}

#[test]
fn shell_habits_work_on_a_kernel_of_another_release() {
    on(third(), is_fast());
}

#[test]
#[ignore = "soak: every dialect with every cache takes minutes where kernels are emulated"]
fn soak_every_cell_on_the_systems_own_kernel() {
    on("base", true);
}

#[test]
#[ignore = "soak: every dialect with every cache takes minutes where kernels are emulated"]
fn soak_every_cell_on_the_backports_kernel() {
    on("backports", true);
}

#[test]
#[ignore = "soak: every dialect with every cache takes minutes where kernels are emulated"]
fn soak_every_cell_on_a_kernel_of_another_release() {
    on(third(), true);
}

fn on(name: &str, everything: bool) {
    let what = format!("shell habits over the kernel's 9p, {name} kernel");
    let Some(kernel) = Kernel::boot(name, &what) else { return };
    let cells = if everything { Cell::all() } else { Cell::few() };
    every_habit_in_every_cell(&kernel, &cells, 3);
    every_access_is_what_its_name_says(&kernel);
}
