//! Pickles of Python 3.11 and pickles that it would not write: the first system's
//! token file in every protocol, objects that run code when they are read, and
//! broken pickles.

use super::*;

/// `pickle.dumps(state, protocol)` for the protocols 0 to 5. `state` is the first
/// system's: two token dicts, with each kind of value that is data.
const LEGACY: [&[u8]; 6] = [
    b"(dp0\x0aVuser_tokens\x0ap1\x0a(dp2\x0aVuser_default\x0ap3\x0a(dp4\x0aVaccess_token\x0ap5\x0aVeyJ.a\x0ap6\x0asVrefresh_token\x0ap7\x0aV1oRV\xe9\x5cu005cx\x0ap8\x0asVexpires_at\x0ap9\x0aF1755496304.682251\x0asVscope\x0ap10\x0aVprofile.compact cart.basic:write\x0ap11\x0asVsource\x0ap12\x0aVoauth\x0ap13\x0asVrefreshed_at\x0ap14\x0aF1755494504.123456\x0asssVclient_token\x0ap15\x0a(dp16\x0ag5\x0aVeyJ.c\x0ap17\x0asg9\x0aI1755496304\x0asg14\x0aNsVflags\x0ap18\x0a(lp19\x0aI01\x0aaI00\x0aa(I1\x0aI2\x0atp20\x0aaI-5\x0aaL1099511627776L\x0aaL1208925819614629174706176L\x0aassVsaved_at\x0ap21\x0aF1755494504.123456\x0as.",
    b"}q\x00(X\x0b\x00\x00\x00user_tokensq\x01}q\x02X\x0c\x00\x00\x00user_defaultq\x03}q\x04(X\x0c\x00\x00\x00access_tokenq\x05X\x05\x00\x00\x00eyJ.aq\x06X\x0d\x00\x00\x00refresh_tokenq\x07X\x08\x00\x00\x001oRV\xc3\xa9\x5cxq\x08X\x0a\x00\x00\x00expires_atq\x09GA\xda(\xaf\xdc+\xaa\x00X\x05\x00\x00\x00scopeq\x0aX \x00\x00\x00profile.compact cart.basic:writeq\x0bX\x06\x00\x00\x00sourceq\x0cX\x05\x00\x00\x00oauthq\x0dX\x0c\x00\x00\x00refreshed_atq\x0eGA\xda(\xae\x1a\x07\xe6\xb4usX\x0c\x00\x00\x00client_tokenq\x0f}q\x10(h\x05X\x05\x00\x00\x00eyJ.cq\x11h\x09Jp\xbf\xa2hh\x0eNX\x05\x00\x00\x00flagsq\x12]q\x13(I01\x0aI00\x0a(K\x01K\x02tq\x14J\xfb\xff\xff\xffL1099511627776L\x0aL1208925819614629174706176L\x0aeuX\x08\x00\x00\x00saved_atq\x15GA\xda(\xae\x1a\x07\xe6\xb4u.",
    b"\x80\x02}q\x00(X\x0b\x00\x00\x00user_tokensq\x01}q\x02X\x0c\x00\x00\x00user_defaultq\x03}q\x04(X\x0c\x00\x00\x00access_tokenq\x05X\x05\x00\x00\x00eyJ.aq\x06X\x0d\x00\x00\x00refresh_tokenq\x07X\x08\x00\x00\x001oRV\xc3\xa9\x5cxq\x08X\x0a\x00\x00\x00expires_atq\x09GA\xda(\xaf\xdc+\xaa\x00X\x05\x00\x00\x00scopeq\x0aX \x00\x00\x00profile.compact cart.basic:writeq\x0bX\x06\x00\x00\x00sourceq\x0cX\x05\x00\x00\x00oauthq\x0dX\x0c\x00\x00\x00refreshed_atq\x0eGA\xda(\xae\x1a\x07\xe6\xb4usX\x0c\x00\x00\x00client_tokenq\x0f}q\x10(h\x05X\x05\x00\x00\x00eyJ.cq\x11h\x09Jp\xbf\xa2hh\x0eNX\x05\x00\x00\x00flagsq\x12]q\x13(\x88\x89K\x01K\x02\x86q\x14J\xfb\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01euX\x08\x00\x00\x00saved_atq\x15GA\xda(\xae\x1a\x07\xe6\xb4u.",
    b"\x80\x03}q\x00(X\x0b\x00\x00\x00user_tokensq\x01}q\x02X\x0c\x00\x00\x00user_defaultq\x03}q\x04(X\x0c\x00\x00\x00access_tokenq\x05X\x05\x00\x00\x00eyJ.aq\x06X\x0d\x00\x00\x00refresh_tokenq\x07X\x08\x00\x00\x001oRV\xc3\xa9\x5cxq\x08X\x0a\x00\x00\x00expires_atq\x09GA\xda(\xaf\xdc+\xaa\x00X\x05\x00\x00\x00scopeq\x0aX \x00\x00\x00profile.compact cart.basic:writeq\x0bX\x06\x00\x00\x00sourceq\x0cX\x05\x00\x00\x00oauthq\x0dX\x0c\x00\x00\x00refreshed_atq\x0eGA\xda(\xae\x1a\x07\xe6\xb4usX\x0c\x00\x00\x00client_tokenq\x0f}q\x10(h\x05X\x05\x00\x00\x00eyJ.cq\x11h\x09Jp\xbf\xa2hh\x0eNX\x05\x00\x00\x00flagsq\x12]q\x13(\x88\x89K\x01K\x02\x86q\x14C\x01xq\x15J\xfb\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01euX\x08\x00\x00\x00saved_atq\x16GA\xda(\xae\x1a\x07\xe6\xb4u.",
    b"\x80\x04\x958\x01\x00\x00\x00\x00\x00\x00}\x94(\x8c\x0buser_tokens\x94}\x94\x8c\x0cuser_default\x94}\x94(\x8c\x0caccess_token\x94\x8c\x05eyJ.a\x94\x8c\x0drefresh_token\x94\x8c\x081oRV\xc3\xa9\x5cx\x94\x8c\x0aexpires_at\x94GA\xda(\xaf\xdc+\xaa\x00\x8c\x05scope\x94\x8c profile.compact cart.basic:write\x94\x8c\x06source\x94\x8c\x05oauth\x94\x8c\x0crefreshed_at\x94GA\xda(\xae\x1a\x07\xe6\xb4us\x8c\x0cclient_token\x94}\x94(h\x05\x8c\x05eyJ.c\x94h\x09Jp\xbf\xa2hh\x0eN\x8c\x05flags\x94]\x94(\x88\x89K\x01K\x02\x86\x94\x8f\x94(K\x03\x90C\x01x\x94J\xfb\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01eu\x8c\x08saved_at\x94GA\xda(\xae\x1a\x07\xe6\xb4u.",
    b"\x80\x05\x958\x01\x00\x00\x00\x00\x00\x00}\x94(\x8c\x0buser_tokens\x94}\x94\x8c\x0cuser_default\x94}\x94(\x8c\x0caccess_token\x94\x8c\x05eyJ.a\x94\x8c\x0drefresh_token\x94\x8c\x081oRV\xc3\xa9\x5cx\x94\x8c\x0aexpires_at\x94GA\xda(\xaf\xdc+\xaa\x00\x8c\x05scope\x94\x8c profile.compact cart.basic:write\x94\x8c\x06source\x94\x8c\x05oauth\x94\x8c\x0crefreshed_at\x94GA\xda(\xae\x1a\x07\xe6\xb4us\x8c\x0cclient_token\x94}\x94(h\x05\x8c\x05eyJ.c\x94h\x09Jp\xbf\xa2hh\x0eN\x8c\x05flags\x94]\x94(\x88\x89K\x01K\x02\x86\x94\x8f\x94(K\x03\x90C\x01x\x94J\xfb\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01eu\x8c\x08saved_at\x94GA\xda(\xae\x1a\x07\xe6\xb4u.",
];

/// `pickle.dumps({"user_tokens": x})`. First `x` has a `__reduce__` that calls
/// `os.system`, then `x` is an instance of a plain class.
const HOSTILE: [&[u8]; 7] = [
    b"(dp0\x0aVuser_tokens\x0ap1\x0acposix\x0asystem\x0ap2\x0a(Vtouch canary\x0ap3\x0atp4\x0aRp5\x0as.",
    b"\x80\x02}q\x00X\x0b\x00\x00\x00user_tokensq\x01cposix\x0asystem\x0aq\x02X\x0c\x00\x00\x00touch canaryq\x03\x85q\x04Rq\x05s.",
    b"\x80\x04\x958\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x0buser_tokens\x94\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x0ctouch canary\x94\x85\x94R\x94s.",
    b"(dp0\x0aVuser_tokens\x0ap1\x0accopy_reg\x0a_reconstructor\x0ap2\x0a(c__main__\x0aPlain\x0ap3\x0ac__builtin__\x0aobject\x0ap4\x0aNtp5\x0aRp6\x0a(dp7\x0aVx\x0ap8\x0aI1\x0asbs.",
    b"}q\x00X\x0b\x00\x00\x00user_tokensq\x01ccopy_reg\x0a_reconstructor\x0aq\x02(c__main__\x0aPlain\x0aq\x03c__builtin__\x0aobject\x0aq\x04Ntq\x05Rq\x06}q\x07X\x01\x00\x00\x00xq\x08K\x01sbs.",
    b"\x80\x02}q\x00X\x0b\x00\x00\x00user_tokensq\x01c__main__\x0aPlain\x0aq\x02)\x81q\x03}q\x04X\x01\x00\x00\x00xq\x05K\x01sbs.",
    b"\x80\x04\x954\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x0buser_tokens\x94\x8c\x08__main__\x94\x8c\x05Plain\x94\x93\x94)\x81\x94}\x94\x8c\x01x\x94K\x01sbs.",
];

fn error(bytes: &[u8]) -> PickleError {
    read(bytes).err().unwrap_or_else(|| panic!("{bytes:?} was read"))
}

#[test]
fn every_protocol_of_python_is_read_alike() {
    for bytes in LEGACY {
        let pickle = read(bytes).unwrap();
        let user = pickle.top().get("user_tokens").and_then(|users| users.get("user_default")).unwrap();

        assert_eq!(user.get("access_token").and_then(Node::text), Some("eyJ.a"));
        assert_eq!(user.get("refresh_token").and_then(Node::text), Some("1oRVé\\x"));
        assert_eq!(user.get("expires_at").and_then(Node::number), Some(1_755_496_304.682_251));
        let client = pickle.top().get("client_token").unwrap();
        assert_eq!(client.get("expires_at").and_then(Node::number), Some(1_755_496_304.0));
        assert!(client.get("refreshed_at").unwrap().number().is_none());
    }
}

#[test]
fn a_pickle_that_runs_code_is_refused_whole() {
    for bytes in HOSTILE {
        assert!(matches!(error(bytes), PickleError::WouldRunCode(_)), "{bytes:?}");
    }
}

#[test]
fn each_opcode_that_could_run_code_is_refused_by_its_name() {
    let opcodes: [(&str, &[u8]); 15] = [
        ("GLOBAL", b"cos\nsystem\n."),
        ("STACK_GLOBAL", b"\x8c\x02os\x8c\x06system\x93."),
        ("REDUCE", b"}}R."),
        ("BUILD", b"}}b."),
        ("INST", b"(ios\nsystem\n."),
        ("OBJ", b"(}o."),
        ("NEWOBJ", b"})\x81."),
        ("NEWOBJ_EX", b"})}\x92."),
        ("EXT1", b"\x82\x01."),
        ("EXT2", b"\x83\x01\x00."),
        ("EXT4", b"\x84\x01\x00\x00\x00."),
        ("PERSID", b"Pname\n."),
        ("BINPERSID", b"}Q."),
        ("NEXT_BUFFER", b"\x97."),
        ("READONLY_BUFFER", b"}\x98."),
    ];
    for (name, bytes) in opcodes {
        assert_eq!(error(bytes), PickleError::WouldRunCode(name));
    }
}

#[test]
fn all_256_opcodes_are_either_data_or_refused() {
    for opcode in 0..=u8::MAX {
        // Nothing follows the opcode, so the read ends.
        let read = read(&[b'}', b'(', opcode]);

        assert!(read.is_err() || opcode == b'.', "{opcode:#x}");
    }
}

#[test]
fn a_pickle_that_breaks_off_anywhere_is_malformed() {
    for bytes in LEGACY {
        for length in 0..bytes.len() {
            assert_eq!(error(&bytes[..length]), PickleError::Malformed, "at {length} of {bytes:?}");
        }
    }
}

#[test]
fn a_damaged_byte_is_an_error_or_another_value_and_never_a_panic() {
    for bytes in LEGACY {
        for at in 0..bytes.len() {
            for damage in [0x00, 0x01, 0x28, 0x71, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] = damage;
                let _ = read(&damaged).map(|pickle| pickle.top().entries().count());
            }
        }
    }
}

#[test]
fn self_reference_and_deep_nesting_cost_no_more_than_the_bytes() {
    let itself = b"}\x94\x8c\x04self\x94h\x00s.";
    let mut deep = b"}\x8c\x01a".repeat(100_000);
    deep.push(b'}');
    deep.extend(b"s".repeat(100_000));
    deep.push(b'.');
    // If references are copied, this value doubles at each of 64 steps.
    let mut laughs = b"}\x94".to_vec();
    laughs.extend(b"(\x8c\x01ah\x00\x8c\x01bh\x00d\x94q\x00".repeat(64));
    laughs.push(b'.');

    let pickle = read(itself).unwrap();
    assert!(pickle.top().get("self").unwrap().get("self").is_some());
    assert!(read(&deep).unwrap().top().get("a").is_some());
    assert!(read(&laughs).unwrap().top().get("b").is_some());
}

#[test]
fn a_length_beyond_the_file_is_malformed_and_reserves_nothing() {
    for bytes in [&b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff."[..], b"X\xff\xff\xff\xff.", b"\x8b\xff\xff\xff\xff."] {
        assert_eq!(error(bytes), PickleError::Malformed);
    }
}

#[test]
fn a_stack_is_not_popped_below_its_mark() {
    for bytes in [&b"}(s."[..], b"0.", b"1.", b"u.", b"a.", b".", b"}(a.", b"(\x85.", b"g0\n.", b"2."] {
        assert_eq!(error(bytes), PickleError::Malformed, "{bytes:?}");
    }
}

#[test]
fn strings_of_python_2_are_read() {
    let pickle = read(b"(dp0\nS'user_tokens'\np1\nS\"a'b\"\np2\ns.").unwrap();

    assert_eq!(pickle.top().get("user_tokens").and_then(Node::text), Some("a'b"));
    assert_eq!(error(b"(dS'a'\nS'x\\ny'\ns."), PickleError::Malformed);
}
