//! The `.metadata` object beside a result: the columns, in Athena's protocol buffers.
//!
//! Athena does not document it. Drivers read it (the fields below are those that athena-jdbc by Burt knows): 1 is the
//! execution's id, 4 is a column, of which 1 is the catalog, 4 the name, 5 the label, 6 the type, 7 the precision,
//! 8 the scale, 9 whether it is nullable (1 not, 2 yes, 3 unknown) and 10 whether case matters.

use super::columns::ColumnInfo;

const UNKNOWN: u64 = 3;

/// The object's bytes.
pub(super) fn encode(id: &str, columns: &[ColumnInfo]) -> Vec<u8> {
    let mut message = Vec::new();
    text(&mut message, 1, id.as_bytes());
    for column in columns {
        let mut inner = Vec::new();
        text(&mut inner, 1, b"hive");
        text(&mut inner, 4, column.name.as_bytes());
        text(&mut inner, 5, column.name.as_bytes());
        text(&mut inner, 6, column.type_name.as_bytes());
        number(&mut inner, 7, u64::from(column.precision));
        number(&mut inner, 8, u64::from(column.scale));
        number(&mut inner, 9, UNKNOWN);
        number(&mut inner, 10, u64::from(column.is_case_sensitive()));
        text(&mut message, 4, &inner);
    }
    message
}

/// A field with a length before it.
fn text(message: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(message, field << 3 | 2);
    varint(message, content.len() as u64);
    message.extend_from_slice(content);
}

fn number(message: &mut Vec<u8>, field: u64, value: u64) {
    varint(message, field << 3);
    varint(message, value);
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_those_of_protocol_buffers() {
        let mut message = Vec::new();
        number(&mut message, 7, 300);
        text(&mut message, 4, b"dt");
        assert_eq!(message, [0x38, 0xac, 0x02, 0x22, 0x02, b'd', b't']);
    }

    #[test]
    fn each_column_is_one_field() {
        let bytes = encode("id", &[ColumnInfo::text("symbol")]);
        assert_eq!(&bytes[..4], [0x0a, 2, b'i', b'd']);
        assert_eq!(bytes[4], 0x22);
        assert_eq!(usize::from(bytes[5]), bytes.len() - 6);
        assert!(bytes.windows(6).any(|window| window == b"symbol"));
    }
}
