//! Components for tests: preview 1 modules behind the adapter between the previews.

use wasi_preview1_component_adapter_provider as adapter;

/// The preview 1 command `wat` as a preview 2 command component.
pub fn component(wat: &str) -> Vec<u8> {
    let module = wat::parse_str(wat).expect("a module");
    wit_component::ComponentEncoder::default()
        .module(&module)
        .expect("a core module")
        .adapter(
            adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        )
        .expect("the adapter")
        .encode()
        .expect("a component")
}
