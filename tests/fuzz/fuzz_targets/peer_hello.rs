//! See `licensing_tests::hostile::targets::peer_hello`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    licensing_tests::hostile::targets::peer_hello(bytes);
});
