//! The dashboard's files, which are part of the binary.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// The files by name, packed.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));
const FRONT: &str = "dashboard.html";

struct Asset {
    /// Where it is served, without the leading slash.
    name: &'static str,
    contents: Bytes,
    tag: HeaderValue,
}

/// The files, ready to be served.
pub(super) struct Assets(Vec<Asset>);

impl Assets {
    pub(super) fn new() -> Self {
        let asset = |&(name, packed): &(&'static str, &[u8])| {
            let contents = Bytes::from(gaitd_packed::unpack(packed));
            let digest = Sha256::digest(&contents);
            let tag = digest.iter().take(8).fold(String::new(), |tag, byte| format!("{tag}{byte:02x}"));
            let tag = HeaderValue::try_from(format!("\"{tag}\"")).ok()?;
            Some(Asset { name: if name == FRONT { "" } else { name }, contents, tag })
        };
        Self(FILES.iter().filter_map(asset).collect())
    }

    /// The answer to a request for `path`, if there is such a file.
    pub(super) fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let name = path.strip_prefix('/')?;
        let asset = self.0.iter().find(|asset| asset.name == name)?;
        let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| {
            known.to_str().is_ok_and(|known| known.split(',').any(|tag| tag.trim().as_bytes() == asset.tag.as_bytes()))
        });
        // a new daemon's page must not meet an old script
        let caching =
            [(header::CACHE_CONTROL, HeaderValue::from_static("no-cache")), (header::ETAG, asset.tag.clone())];
        Some(if known {
            (StatusCode::NOT_MODIFIED, caching).into_response()
        } else {
            (caching, [(header::CONTENT_TYPE, content_type(asset.name))], asset.contents.clone()).into_response()
        })
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("html", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
