//! Components of modules, by the adapter between the previews: for tests, examples and benchmarks.
#![allow(dead_code)]

use wasi_preview1_component_adapter_provider as adapter;

/// The preview 1 command `module` as a preview 2 command component.
pub fn of_module(module: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(wit_component::ComponentEncoder::default()
        .module(module)?
        .adapter(
            adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        )?
        .encode()?)
}

/// The same, not to be taken for the module that it was made of: what it calls are the interfaces of preview 2.
pub fn of_its_own(module: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(with_an_empty_module(of_module(module)?))
}

/// The same component with one module more: a section's number and length, and its content.
pub fn with_an_empty_module(mut component: Vec<u8>) -> Vec<u8> {
    component.extend_from_slice(b"\x01\x08\0asm\x01\0\0\0");
    component
}
