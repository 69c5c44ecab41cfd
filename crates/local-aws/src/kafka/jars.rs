//! Apache Kafka's jars, by Maven, once for each version.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::error::Error;
use super::files;

const POM: &str = include_str!("../../../../broker/pom.xml");
/// What Kafka 4 runs on.
const JAVA: u32 = 17;

/// The folder of the jars, fetched if need be.
pub(super) async fn fetched() -> Result<PathBuf, Error> {
    check_java().await?;
    let cache = cache(|name| std::env::var_os(name)).ok_or(Error::NoCache)?;
    let version = version();
    files::make_folder(&cache)?;
    // Another stack or test may be fetching them: the lock makes one do it and all others wait.
    let lock_path = cache.join(format!("kafka-{version}.lock"));
    let failed = |source| Error::File { what: "lock", path: lock_path.clone(), source };
    let lock = File::create(&lock_path).map_err(failed)?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
    let _lock = lock.map_err(std::io::Error::other).and_then(|locked| locked).map_err(failed)?;

    let place = cache.join(format!("kafka-{version}"));
    let is_whole = files::read(&place.join("pom.xml"))?.is_some_and(|pom| pom == POM);
    if !is_whole {
        let half_fetched = cache.join(format!("kafka-{version}.new"));
        files::remove_folder(&half_fetched)?;
        files::make_folder(&half_fetched)?;
        fetch(&half_fetched, version).await?;
        // Those of another pom.
        files::remove_folder(&place)?;
        files::put_in_place(&half_fetched, &place)?;
    }
    Ok(place.join("libs"))
}

/// Java's class path of all jars in `libs`.
pub(super) fn class_path(libs: &Path) -> OsString {
    let mut path = libs.as_os_str().to_owned();
    path.push("/*");
    path
}

/// `${XDG_CACHE_HOME:-~/.cache}/tickerlake`.
fn cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("tickerlake"))
}

/// Kafka's version, as the pom says.
fn version() -> &'static str {
    let tail = POM.split_once("<kafka.version>").map_or("", |(_, tail)| tail);
    tail.split('<').next().unwrap_or_default()
}

async fn fetch(folder: &Path, version: &str) -> Result<(), Error> {
    tracing::info!(version, "Apache Kafka is being fetched.");
    let pom = folder.join("pom.xml");
    files::write(&pom, POM)?;
    let output = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(&pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", folder.join("libs").display()))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Missing { program: "mvn", install: "Apache Maven (Debian: maven)" },
        _ => Error::Run { program: "mvn", source },
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = said.lines().find_map(|line| line.strip_prefix("[ERROR] ")).unwrap_or("it says no more");
        return Err(Error::Download { version: version.to_owned(), reason: errors.to_owned() });
    }
    // On the disk before the rename that says so.
    let synced = File::open(folder.join("libs")).and_then(|libs| libs.sync_all());
    synced.map_err(|source| Error::File { what: "sync", path: folder.join("libs"), source })?;
    let jars = fs::read_dir(folder.join("libs")).map_or(0, Iterator::count);
    if jars == 0 {
        return Err(Error::Download { version: version.to_owned(), reason: "no jar came".to_owned() });
    }
    Ok(())
}

async fn check_java() -> Result<(), Error> {
    const MISSING: Error = Error::Missing { program: "java", install: "a Java runtime, 17 or newer (Debian: openjdk-17-jre-headless)" };
    let output = Command::new("java").arg("-version").stdin(Stdio::null()).output().await;
    let output = output.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => MISSING,
        _ => Error::Run { program: "java", source },
    })?;
    match java_version(&String::from_utf8_lossy(&output.stderr)) {
        Some(found) if found < JAVA => Err(Error::OldJava { found, needed: JAVA }),
        // One that says nothing that we know may still do.
        Some(_) | None => Ok(()),
    }
}

/// 17 in `openjdk version "17.0.15" 2025-04-15`, 8 in `java version "1.8.0_392"`.
fn java_version(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut numbers = quoted.split(['.', '_', '-', '+']).map(|number| number.parse().ok());
    match numbers.next()?? {
        1 => numbers.next()?,
        number => Some(number),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_pom_names_kafkas_version() {
        assert!(version().starts_with("4."), "{:?}", version());
    }

    #[test]
    fn javas_version_is_read() {
        for (text, version) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime…", Some(17)),
            ("java version \"1.8.0_392\"", Some(8)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            ("command not found", None),
        ] {
            assert_eq!(java_version(text), version, "{text}");
        }
    }

    #[test]
    fn the_cache_is_the_users() {
        let variables = |home: &'static str, xdg: &'static str| {
            cache(move |name| Some(if name == "HOME" { home } else { xdg }.into())).map(|path| path.display().to_string())
        };
        assert_eq!(variables("/home/a", "").unwrap(), "/home/a/.cache/tickerlake");
        assert_eq!(variables("/home/a", "/cache").unwrap(), "/cache/tickerlake");
        assert_eq!(variables("", ""), None);
    }
}
