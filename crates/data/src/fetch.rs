//! Public benchmark sets, downloaded from their documented addresses into a cache: `ballast data fetch`.
//!
//! Nothing is redistributed: each set comes from its authors, is checked against a SHA-256 computed from
//! a copy of the published file, and appears in the cache whole or not at all.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::DataError;

/// A public data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// The name to ask for.
    pub name: &'static str,
    /// Its content.
    pub title: &'static str,
    /// Its license, to be shown before downloading.
    pub license: &'static str,
    /// How to cite it, to be shown before downloading.
    pub citation: &'static str,
    /// Where its authors publish it.
    pub url: &'static str,
    /// The file's name in the cache.
    pub file: &'static str,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: &'static str,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Every set that can be fetched. Others join when their checksum has been computed from the published file.
pub const SETS: [DataSet; 1] = [DataSet {
    name: "etth1",
    title: "Electricity transformer temperature, first transformer, hourly, 2016-07 to 2018-06, 7 channels",
    license: "CC BY-ND 4.0",
    citation: "Zhou, Zhang, Peng, Zhang, Li, Xiong & Zhang: Informer: Beyond Efficient Transformer for Long \
               Sequence Time-Series Forecasting. AAAI 2021",
    url: "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/ETTh1.csv",
    file: "ETTh1.csv",
    sha256: "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    bytes: 2_589_657,
}];

/// The set of this name.
///
/// # Errors
/// [`DataError::Config`] naming the sets there are.
pub fn find(name: &str) -> Result<&'static DataSet, DataError> {
    SETS.iter().find(|set| set.name == name).ok_or_else(|| DataError::Config {
        key: "fetch",
        value: format!("{name:?}"),
        expected: format!("one of {}", SETS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")),
    })
}

/// Brings `set` into `cache` and returns its path; nothing is downloaded when it is there already, whole.
///
/// `progress` is told the bytes so far. `BALLAST_DATA_MIRROR`, if the caller passes it as `mirror`, replaces
/// everything before the file's name.
///
/// # Errors
/// [`DataError::Fetch`] when the server cannot be reached or answers with an error,
/// [`DataError::Checksum`] when the file is not the published one, [`DataError::Io`] for the disk.
/// In each case the cache is as before.
pub fn fetch(
    set: &DataSet,
    cache: &Path,
    mirror: Option<&str>,
    progress: &mut dyn FnMut(u64),
) -> Result<PathBuf, DataError> {
    let path = cache.join(set.file);
    if files::sha256(&path).is_ok_and(|hash| hash == set.sha256) {
        return Ok(path);
    }
    let url = mirror.map_or_else(
        || set.url.to_owned(),
        |m| format!("{}/{}", m.trim_end_matches('/'), set.file),
    );
    let io = |verb| move |source| DataError::Io { path: cache.to_path_buf(), verb, source };
    std::fs::create_dir_all(cache).map_err(io("created"))?;
    let mut fault = None;
    let written = files::replace(&path, |file| {
        download(set, &url, file, progress)?.map_err(|error| {
            fault = Some(error);
            std::io::Error::other("the download is not whole") // nothing is kept
        })
    });
    match fault {
        Some(error) => Err(error),
        None => written.map(|()| path).map_err(io("written")),
    }
}

/// Copies the set from `url` to `file`. The outer error is the disk's, the inner one the download's.
fn download(
    set: &DataSet,
    url: &str,
    file: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> std::io::Result<Result<(), DataError>> {
    let failed =
        |message: String| DataError::Fetch { name: set.name, url: url.to_owned(), message };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_global(Some(Duration::from_secs(3600)))
        .build()
        .into();
    let response = match agent.get(url).call() {
        Ok(response) => response,
        Err(error) => return Ok(Err(failed(error.to_string()))),
    };
    // One byte more than expected is enough to know that it is another file.
    let mut body = response.into_body().into_reader().take(set.bytes + 1);
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) => return Ok(Err(failed(error.to_string()))),
        };
        hash.update(&buffer[..n]);
        file.write_all(&buffer[..n])?;
        bytes += n as u64;
        progress(bytes);
    }
    let (found, expected) = (format!("{:x}", hash.finalize()), set.sha256);
    Ok(match found == expected {
        true => Ok(()),
        false => {
            Err(DataError::Checksum { name: set.name, url: url.to_owned(), expected, found, bytes })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// SHA-256 of "date,y\n2012-01-01,1\n", by coreutils' sha256sum.
    const SET: DataSet = DataSet {
        name: "toy",
        title: "",
        license: "",
        citation: "",
        url: "http://127.0.0.1:1/never",
        file: "toy.csv",
        sha256: "2cb3158593a1ea03b41e8cafb0164f8026e81fbdf9abbc341a4ed17abd62698b",
        bytes: 20,
    };
    const BODY: &str = "date,y\n2012-01-01,1\n";

    /// A server that answers each of `answers` once, and its address.
    fn serve(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut request, mut byte) = (Vec::new(), [0]);
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                    request.push(byte[0]);
                }
                requests.push(
                    String::from_utf8_lossy(&request).lines().next().unwrap_or("").to_owned(),
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
            requests
        });
        (address, server)
    }

    fn ok(body: &str, length: usize) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    #[test]
    fn a_set_is_fetched_once_and_kept() {
        let (address, server) = serve(vec![ok(BODY, BODY.len())]);
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let mut seen = 0;
        let path = fetch(&SET, &cache, Some(&address), &mut |n| seen = n).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), BODY);
        assert_eq!(seen, 20);
        assert_eq!(server.join().unwrap(), ["GET /toy.csv HTTP/1.1"]);
        // The server is gone: what is in the cache is enough.
        assert_eq!(fetch(&SET, &cache, Some(&address), &mut |_| ()).unwrap(), path);
        // A damaged copy is not.
        std::fs::write(&path, "damaged").unwrap();
        assert!(matches!(
            fetch(&SET, &cache, Some(&address), &mut |_| ()),
            Err(DataError::Fetch { .. })
        ));
    }

    #[test]
    fn a_failed_download_leaves_nothing_behind() {
        let tampered = BODY.replace('1', "2");
        let endless = BODY.repeat(100);
        let answers = [
            (ok(&tampered, tampered.len()), "has another SHA-256 than the published file"),
            (ok(&endless, endless.len()), "has another SHA-256 than the published file"),
            (ok(&BODY[..10], 20), "cannot be fetched"),
            (
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
                "404",
            ),
            ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(), "500"),
            ("nonsense\r\n\r\n".into(), "cannot be fetched"),
        ];
        for (answer, message) in answers {
            let (address, server) = serve(vec![answer]);
            let folder = tempfile::tempdir().unwrap();
            let error =
                fetch(&SET, folder.path(), Some(&address), &mut |_| ()).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
            assert!(error.contains(&address) && error.contains("\n  hint: "), "{error}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{error}");
            server.join().unwrap();
        }
    }

    #[test]
    fn sets_are_complete_and_found_by_name() {
        for set in &SETS {
            assert!(!set.license.is_empty() && !set.citation.is_empty());
            assert!(set.url.starts_with("https://") && set.url.ends_with(set.file));
            assert!(set.sha256.len() == 64 && set.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
            assert_eq!(find(set.name).unwrap(), set);
        }
        assert_eq!(
            find("etth9").unwrap_err().to_string(),
            "data.fetch = \"etth9\": expected one of etth1"
        );
    }
}
