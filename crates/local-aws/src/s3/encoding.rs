//! `encoding-type=url` in lists: clients that ask for it (boto3 always does) decode what they get. s3s-fs says that it
//! encoded and did not.

use s3s::dto::{CommonPrefix, EncodingType, ListObjectsOutput, ListObjectsV2Output, Object};

/// Encodes the answer to ListObjects, if it says so.
pub(super) fn encode_list(output: &mut ListObjectsOutput) {
    if is_url(output.encoding_type.as_ref()) {
        encode_all([&mut output.prefix, &mut output.delimiter, &mut output.marker, &mut output.next_marker]);
        encode_found(output.contents.as_mut(), output.common_prefixes.as_mut());
    }
}

/// Encodes the answer to ListObjectsV2, if it says so.
pub(super) fn encode_list_v2(output: &mut ListObjectsV2Output) {
    if is_url(output.encoding_type.as_ref()) {
        encode_all([&mut output.prefix, &mut output.delimiter, &mut output.start_after]);
        encode_found(output.contents.as_mut(), output.common_prefixes.as_mut());
    }
}

fn is_url(encoding: Option<&EncodingType>) -> bool {
    encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL)
}

fn encode_found(objects: Option<&mut Vec<Object>>, folders: Option<&mut Vec<CommonPrefix>>) {
    encode_all(objects.into_iter().flatten().map(|object| &mut object.key));
    encode_all(folders.into_iter().flatten().map(|folder| &mut folder.prefix));
}

fn encode_all<'a>(texts: impl IntoIterator<Item = &'a mut Option<String>>) {
    for text in texts.into_iter().flatten() {
        *text = encoded(text);
    }
}

/// As S3 encodes keys: a space is a plus, and slashes stay.
fn encoded(text: &str) -> String {
    text.split('/').map(|part| url::form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_when_they_are_decoded() {
        assert_eq!(encoded("quotes/dt=2013-10-07/a b+c.é"), "quotes/dt%3D2013-10-07/a+b%2Bc.%C3%A9");
    }
}
