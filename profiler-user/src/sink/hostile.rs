//! Names as somebody who attacks would choose them, for the tests of every sink.

/// What a sink must hand on so that nobody reads anything else into it. Bytes that are no UTF-8 have become `\xff` before.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<_> = [
        "/plain",
        "/quote\"back\\slash]bracket[",
        "/new\nline\r\nand more",
        "/nul\0bell\x07escape\x1b[2J\x7f",
        "/%s{{ x }}{% y %}${z}#012",
        "/\\xff\\n",
        "/\u{e4}\u{202e}\u{1f980}\u{feff}",
        "/7 <34>1 - - - - - -",
        "/\u{85}\u{2028}",
    ]
    .map(str::to_owned)
    .into();
    names.push("/".to_owned() + &"\u{1}x]".repeat(1365));
    names
}
