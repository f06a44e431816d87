//! What valid traffic looks like, and what was thought of by hand to break it.

use crate::{continuation, frame, head};

/// Events that polite clients send.
pub(crate) const EVENTS: [&str; 6] = [
    r#"42["size",{"text":"hello","number":17,"list":[1,2,3]}]"#,
    r#"427["size","räume 🏠",null,true,-1.5e3]"#,
    r#"42["say",{"room":"nobody","from":0,"number":0,"at":0,"phase":0}]"#,
    r#"4212["say",{"room":"nobody","text":"\u00e4\n\"quoted\""}]"#,
    r#"42/,["size",[]]"#,
    r#"420["size",[[[[[[[[1]]]]]]]]]"#,
];

/// Events that wait their turn when one client sends too many of them, and all that come after them.
pub(crate) const PACED: [&str; 2] = [r#"421["join","mutants"]"#, r#"422["leave","mutants"]"#];

/// What else polite clients send.
pub(crate) const OTHERS: [&str; 6] = [
    r#"451-["size",{"_placeholder":true,"num":0}]"#,
    r#"452-9["size",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
    r#"430[{"answer":1}]"#,
    "3",
    "40",
    r#"40{"token":"abc"}"#,
];

/// Malformed messages, each as the bytes of a websocket; what follows is no part of them.
#[must_use]
pub fn corpus() -> Vec<Vec<u8>> {
    let deep = "[".repeat(400_000);
    let mut corpus: Vec<Vec<u8>> = [
        "",
        "4",
        "42",
        "42[",
        "42[]",
        "42[1]",
        "42{}",
        "42null",
        "42\"size\"",
        "42[null]",
        "42[[\"size\"]]",
        "42[\"size\"",
        "42[\"size\",]",
        "42[\"size\"]]",
        "42[\"size\",\"\u{0}\"]",
        "42[\"\",1]",
        "42[\"connect\"]",
        "42[\"disconnect\"]",
        "42[\"connect_error\"]",
        "42[\"__proto__\",{\"__proto__\":1}]",
        "42é",
        "42/é,é",
        "42/nowhere,[\"size\",1]",
        "42/,",
        "42/",
        "42/nowhere",
        "4299999999999999999999[\"size\",1]",
        "429223372036854775808[\"size\",1]",
        "42-1[\"size\",1]",
        "420x1[\"size\",1]",
        "40nonsense",
        "40/nowhere,{}",
        "40[",
        "40{\"sid\":\"a\"}",
        "41/nowhere,",
        "43",
        "43[1]",
        "431[1]",
        "4399999999999999999999[1]",
        "430{}",
        "44{}",
        "44\"no\"",
        "45",
        "45-",
        "45-[]",
        "450-[]",
        "45999999999999999999-[\"size\"]",
        "45-1-[\"size\"]",
        "451-[\"size\"]",
        "451-[\"size\",{\"_placeholder\":true,\"num\":7}]",
        "451-[\"size\",{\"_placeholder\":true,\"num\":-1}]",
        "451-[\"size\",{\"_placeholder\":true,\"num\":99999999999999999999}]",
        "451-[]",
        "46",
        "461-",
        "461-1[]",
        "4610001-1[]",
        "47[]",
        "48",
        "4/",
        "4\u{0}",
        "0{}",
        "0",
        "1x",
        "2",
        "2probe",
        "3probe",
        "5",
        "6",
        "7",
        "b",
        "bAAAA",
        "b!!!!",
        "\u{1e}",
        "42[\"size\",1]\u{1e}42[\"size\",2]",
        "\u{feff}42[\"size\",1]",
        "42[\"size\",1e999999]",
        "42[\"size\",\"\\ud800\"]",
        "42[\"size\",\"\\u12\"]",
        "42[\"size\",-]",
        "42[\"size\",NaN]",
    ]
    .into_iter()
    .map(frame)
    .collect();
    for begin in ["40", "42", "42[\"size\",", "43", "430", "44", "45", "451-", "46", "40/"] {
        corpus.push(frame(&format!("{begin}{deep}")));
        corpus.push(frame(&format!("{begin}{}", r#"{"a":"#.repeat(100_000))));
        corpus.push(frame(&format!("{begin}{}", "9".repeat(100_000))));
    }
    corpus.extend([
        // Bytes that belong to nothing, and none at all.
        [head(2, 3), vec![1, 2, 3]].concat(),
        head(2, 0),
        // Not UTF-8, reserved opcodes and bits, control frames that are too long or in parts.
        [head(1, 2), vec![0xff, 0xfe]].concat(),
        head(3, 0),
        head(11, 0),
        [vec![0xf1], head(1, 2)[1..].to_vec(), b"42".to_vec()].concat(),
        [head(9, 126), vec![0; 126]].concat(),
        [vec![0x09, 0x80, 0, 0, 0, 0]].concat(),
        [head(8, 1), vec![3]].concat(),
        [head(8, 2), vec![0, 0]].concat(),
        [head(8, 4), vec![3, 0xe8, 0xff, 0xff]].concat(),
        // Without a mask; a continuation of nothing; a new message within another.
        vec![0x81, 0x01, b'2'],
        head(0, 0),
        [continuation(true, b"42"), frame("42")].concat(),
        // A length in more bytes than it needs, and one with the highest bit.
        [vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], b"2".to_vec()].concat(),
        [vec![0x82, 0xff], vec![0xff; 8], vec![0; 4]].concat(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ]);
    corpus
}
