//! Pickles as Python wrote them (`tests/tools/pickles.py` makes the fixtures), and hostile ones.

use super::*;
use crate::format::mutate;

/// Every fixture holds {"net": [{"w": float32 2×3 = 0…5, "b": big-endian float64 [0.5, -1]}, "text", 7, 1.5, None, True],
/// "f": int16 2×2 in Fortran order [[1, 2], [3, 4]], "s": numpy.float32(2.5)}.
fn check(bytes: &[u8]) {
    let pickle = read(bytes).unwrap();
    let arrays = pickle.arrays().unwrap();
    let found: Vec<_> = arrays.iter().map(|(path, a)| (path.as_str(), a.shape(), a.to_f32())).collect();
    assert_eq!(
        found,
        [
            ("net/0/w", &[2, 3][..], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            ("net/0/b", &[2], vec![0.5, -1.0]),
            ("f", &[2, 2], vec![1.0, 2.0, 3.0, 4.0]),
        ]
    );
}

#[test]
fn every_protocol_as_python_writes_it() {
    for bytes in FIXTURES {
        check(bytes);
    }
}

const FIXTURES: [&[u8]; 7] = [
    include_bytes!("../../../tests/data/pickle/protocol0.pkl"),
    include_bytes!("../../../tests/data/pickle/protocol1.pkl"),
    include_bytes!("../../../tests/data/pickle/protocol2.pkl"),
    include_bytes!("../../../tests/data/pickle/protocol3.pkl"),
    include_bytes!("../../../tests/data/pickle/protocol4.pkl"),
    include_bytes!("../../../tests/data/pickle/protocol5.pkl"),
    include_bytes!("../../../tests/data/pickle/numpy1.pkl"),
];

fn error(bytes: &[u8]) -> Error {
    match read(bytes) {
        Ok(pickle) => pickle.arrays().map(drop).unwrap_err(),
        Err(e) => e,
    }
}

#[test]
fn callables_are_refused_by_name() {
    let system = b"cos\nsystem\n(S'echo unsafe'\ntR.";
    assert!(
        matches!(error(system), Error::Unsupported(m) if m.contains("`os.system`") && m.contains("byte 0"))
    );
    let stack = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.";
    assert!(matches!(error(stack), Error::Unsupported(m) if m.contains("`builtins.eval`")));
    for (code, what) in
        [(&b"(ios\nsystem\n."[..], "class"), (b"P1\n.", "outside"), (b"\x8f.", "set"), (b"\x97.", "buffer")]
    {
        assert!(matches!(error(code), Error::Unsupported(m) if m.contains(what)));
    }
}

#[test]
fn each_fault_has_its_error() {
    let says = |bytes: &[u8], kind: &str, what: &str| {
        let e = error(bytes);
        assert_eq!(e.kind(), kind, "{e}");
        assert!(e.message().contains(what), "{e}");
    };
    says(b"", "Malformed", "truncated");
    says(b"\x80\x09.", "Unsupported", "protocol 9");
    says(b".", "Malformed", "empty stack");
    says(b"(.", "Malformed", "empty stack");
    says(b"\xff.", "Malformed", "0xff");
    says(b"t.", "Malformed", "mark");
    says(b"h\x05.", "Malformed", "remembered");
    says(b"NNs.", "Malformed", "stack is empty");
    says(b"N(NNu.", "Malformed", "no dict");
    says(b"NNa.", "Malformed", "no list");
    says(b"}(Nu.", "Malformed", "without a value");
    says(b"NNR.", "Malformed", "cannot be called");
    says(b"NNb.", "Malformed", "no tuple");
    says(b"N)b.", "Malformed", "not its own");
    says(b"X\xff\xff\xff\xffab.", "Malformed", "truncated");
    says(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.", "Malformed", "truncated");
    says(b"X\x01\x00\x00\x00\xff.", "Malformed", "UTF-8");
    says(b"I12x\n.", "Malformed", "integer");
    says(b"Fx\n.", "Malformed", "number");
    says(b"S'a\n.", "Malformed", "quoted");
    says(b"S'\\q'\n.", "Malformed", "quoted");
    says(b"V\\u12\n.", "Malformed", "escaped");
    says(b"I1", "Malformed", "end of line");
    says(b"}NNs.", "Unsupported", "key");
    says(b"cnumpy\ndtype\n(S'O8'\ntR.", "Unsupported", "O8");
    says(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\ntR.", "Malformed", "without contents");
    says(b"cnumpy\ndtype\n)R.", "Malformed", "Dtype");
    says(b"c_codecs\nencode\n(V\\u0100\nS'latin1'\ntR.", "Malformed", "above 255");
    let array = |sides: &str| {
        format!("cnumpy.core.numeric\n_frombuffer\n(S'abcd'\ncnumpy\ndtype\n(S'f4'\ntR{sides}S'C'\ntR.")
    };
    says(array("(I2\nt").as_bytes(), "Malformed", "do not fit");
    says(array("(I-1\nt").as_bytes(), "Malformed", "negative");
    says(array("(I4294967296\nI4294967296\nt").as_bytes(), "Malformed", "do not fit");
    says(array("N").as_bytes(), "Malformed", "no tuple");
    says(array("(Nt").as_bytes(), "Malformed", "no integer");
    says(array(&format!("({}t", "I1\n".repeat(33))).as_bytes(), "Malformed", "32 dimensions");
}

#[test]
fn what_would_take_the_memory_is_a_limit() {
    let limit = |bytes: &[u8]| assert!(matches!(error(bytes), Error::Limit(_)));
    limit(&[b'N'; MAX_VALUES + 2]);
    limit(&[b"N".as_slice(), &[b'2'; MAX_VALUES + 2]].concat());
    limit(&[b'('; MAX_VALUES + 2]);
    // A list that holds itself.
    limit(b"]q\x00h\x00a.");
    // Forty lists, each holding the one before it twice: 2^40 paths.
    let mut fan = b"]q\x00".to_vec();
    for i in 0..40u8 {
        fan.extend([b']', b'(', b'h', i, b'h', i, b'e', b'q', i + 1]);
    }
    fan.push(b'.');
    limit(&fan);
    // One text of a thousand bytes, decoded a thousand times.
    let text = "x".repeat(1000);
    let again = "h\x00h\x01R".repeat(1000);
    limit(format!("c_codecs\nencode\nq\x00(V{text}\nVlatin1\ntq\x01{again}.").as_bytes());
}

#[test]
fn no_mutation_panics() {
    for bytes in FIXTURES {
        mutate::each(bytes, |bytes| read(bytes)?.arrays().map(drop));
    }
}
