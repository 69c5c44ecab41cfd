//! What a day consists of now: the files whose rows a new generation must hold.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use lake_store::Object;
use quotes::compaction::{self, Manifest};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// Changes when the same files would become other parts: two versions of the code must not mix their parts in one folder.
const FORM: &str = "1";

/// The files of a day, each row in one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The files to read, by key.
    pub(crate) inputs: Vec<Object>,
    /// Names of the day's own files whose rows are in the inputs.
    pub(crate) covers: BTreeSet<String>,
    /// How many of the inputs are not parts of a generation.
    pub(crate) loose: usize,
}

impl Content {
    /// Gathers the content from the day's own folder and, if there is a generation that counts, from its folder.
    ///
    /// A file that landed after the generation was made lies in both folders once it was copied: it is taken once.
    pub(crate) fn of(originals: Vec<Object>, generation: Option<(&Manifest, Vec<Object>)>) -> Self {
        let mut content = Self { inputs: Vec::new(), covers: BTreeSet::new(), loose: 0 };
        if let Some((manifest, files)) = generation {
            content.covers.clone_from(&manifest.covers);
            for file in files.into_iter().filter(is_data) {
                if !manifest.parts.iter().any(|part| part == compaction::file_name(&file.key)) {
                    content.loose += 1;
                    content.covers.insert(compaction::file_name(&file.key).to_owned());
                }
                content.inputs.push(file);
            }
        }
        for file in originals.into_iter().filter(is_data) {
            if content.covers.insert(compaction::file_name(&file.key).to_owned()) {
                content.loose += 1;
                content.inputs.push(file);
            }
        }
        content
    }

    /// Whether there is anything to gain.
    pub(crate) fn is_worth_it(&self) -> bool {
        self.loose > 0 && self.inputs.len() > 1
    }

    /// The name of the generation that is made of this content today: whoever makes it again, or at the same time, writes the
    /// same rows under the same keys. The date keeps a run from taking up one that is old enough to be removed.
    pub(crate) fn generation(&self, before: Option<&str>, now: DateTime<Utc>) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{FORM}\n{}\n", before.unwrap_or_default()));
        for input in &self.inputs {
            hash.update(format!("{}\n{}\n", input.key, input.version));
        }
        let digest: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{digest}", now.format("%Y%m%d"))
    }

    /// Bytes in the inputs.
    pub(crate) fn bytes(&self) -> u64 {
        self.inputs.iter().map(|input| input.size).sum()
    }
}

/// Whether Trino reads the file: not one that is empty or whose name it hides.
pub(crate) fn is_data(file: &Object) -> bool {
    file.size > 0 && !compaction::file_name(&file.key).starts_with(['_', '.'])
}

/// Refuses a day with a folder inside its own: Trino reads what lies there, and a copy would have no place.
pub(crate) fn check_flat(date: NaiveDate, originals: &[Object]) -> Result<(), Error> {
    let folder = compaction::original_folder(date);
    let nested = originals.iter().find(|file| is_data(file) && file.key.strip_prefix(&folder).is_none_or(|name| name.contains('/')));
    nested.map_or(Ok(()), |file| Err(Error::Nested(file.key.clone())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(key: &str) -> Object {
        Object { key: key.to_owned(), version: format!("\"{key}\""), size: 7, modified: DateTime::UNIX_EPOCH }
    }

    fn keys(content: &Content) -> Vec<&str> {
        content.inputs.iter().map(|input| input.key.as_str()).collect()
    }

    #[test]
    fn a_file_that_was_covered_or_copied_is_taken_once() {
        let manifest = Manifest { rows: 2, parts: vec!["part-quotes-00000.parquet".into()], covers: ["a".into(), "gone".into()].into() };
        let files = ["g/_manifest.json", "g/b", "g/part-quotes-00000.parquet"].map(file).to_vec();
        let content = Content::of(["o/a", "o/b", "o/c", "o/_hidden"].map(file).to_vec(), Some((&manifest, files)));
        assert_eq!(keys(&content), ["g/b", "g/part-quotes-00000.parquet", "o/c"]);
        assert_eq!((content.loose, content.bytes()), (2, 21));
        assert_eq!(content.covers, ["a", "b", "c", "gone"].map(str::to_owned).into());
    }

    #[test]
    fn one_file_is_compact_already() {
        let empty = Object { size: 0, ..file("o/empty") };
        assert!(!Content::of(Vec::new(), None).is_worth_it());
        assert!(!Content::of(vec![file("o/a"), empty], None).is_worth_it());
        assert!(Content::of(vec![file("o/a"), file("o/b")], None).is_worth_it());
        let manifest = Manifest { rows: 1, parts: vec!["p".into(), "q".into()], covers: BTreeSet::new() };
        assert!(!Content::of(Vec::new(), Some((&manifest, vec![file("g/p"), file("g/q")]))).is_worth_it());
    }

    #[test]
    fn the_generation_is_named_by_what_goes_in() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (morning, evening, tomorrow) = (at("2013-10-08T06:30:00Z"), at("2013-10-08T20:00:00Z"), at("2013-10-09T06:30:00Z"));
        let content = Content::of(vec![file("o/a"), file("o/b")], None);
        let name = content.generation(None, morning);
        assert!(name.starts_with("20131008-") && name.len() == 25, "{name}");
        assert_eq!(content.generation(None, evening), name);
        let mut replaced = content.clone();
        replaced.inputs[0].version = "\"other\"".into();
        for other in [content.generation(None, tomorrow), content.generation(Some("g"), morning), replaced.generation(None, morning)] {
            assert_ne!(other, name);
        }
    }

    #[test]
    fn a_folder_in_a_days_folder_is_refused() {
        let date = NaiveDate::from_ymd_opt(2013, 10, 7).unwrap();
        check_flat(date, &[file("quotes/dt=2013-10-07/a"), file("quotes/dt=2013-10-07/x/_hidden")]).unwrap();
        let error = check_flat(date, &[file("quotes/dt=2013-10-07/x/a")]).unwrap_err();
        assert_eq!(error.to_string(), "quotes/dt=2013-10-07/x/a lies in a folder below its day's");
    }
}
