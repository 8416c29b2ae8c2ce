//! Components of modules, by the adapter between the previews: for tests, examples and benchmarks.

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
