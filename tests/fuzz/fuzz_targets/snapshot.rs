//! See `licensing_tests::hostile::targets::snapshot`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    licensing_tests::hostile::targets::snapshot(bytes);
});
