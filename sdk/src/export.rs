//! The one macro an author writes: one for each contract.

/// Makes the crate a handler library: `export_device_sso_handler!(MyHandler);`, once, in a crate of type `cdylib`.
///
/// The crate needs no other dependency than this SDK and may say `#![forbid(unsafe_code)]`. A crate compiled with `panic = "abort"` is refused,
/// because its first panic would end the server.
#[macro_export]
macro_rules! export_device_sso_handler {
    ($handler:ty) => {
        #[cfg(panic = "abort")]
        ::core::compile_error!(
            "a Symbolon handler must be compiled with panic = \"unwind\": with \"abort\" its first panic would end the server"
        );

        const _: () = {
            #[unsafe(no_mangle)]
            #[used]
            #[doc(hidden)]
            pub static symbolon_handler_stamp: $crate::abi::stamp::Stamp =
                $crate::abi::stamp::Stamp::new(::core::cfg!(panic = "unwind"));

            #[unsafe(no_mangle)]
            #[used]
            #[doc(hidden)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::abi::LibHeader =
                $crate::abi::module::header::<$handler>();
        };
    };
}

/// Makes the crate an action library: `export_post_login_action!(MyAction);`, with the rules of [`export_device_sso_handler!`](crate::export_device_sso_handler).
/// A library has one of the two.
#[macro_export]
macro_rules! export_post_login_action {
    ($action:ty) => {
        #[cfg(panic = "abort")]
        ::core::compile_error!(
            "a Symbolon action must be compiled with panic = \"unwind\": with \"abort\" its first panic would end the server"
        );

        const _: () = {
            #[unsafe(no_mangle)]
            #[used]
            #[doc(hidden)]
            pub static symbolon_handler_stamp: $crate::abi::stamp::Stamp =
                $crate::abi::stamp::Stamp::new(::core::cfg!(panic = "unwind"));

            #[unsafe(no_mangle)]
            #[used]
            #[doc(hidden)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::abi::LibHeader =
                $crate::abi::module::action_header::<$action>();
        };
    };
}
