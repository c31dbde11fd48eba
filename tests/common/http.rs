//! A small HTTP client that hides nothing: one request per connection, over TCP or a Unix socket, and events.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

/// Nothing takes this long; who waits for more would wait forever.
const HUNG: Duration = Duration::from_secs(60);

/// Where a daemon answers.
#[derive(Clone, Debug)]
pub enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A connection.
pub enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Wire {
    /// Ends what is sent; the other direction stays open.
    pub fn finish(&self) {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
        .unwrap();
    }

    /// All that still comes; a connection that is cut off ends it.
    pub fn rest(&mut self) -> Vec<u8> {
        let (mut all, mut some) = (Vec::new(), [0; 4096]);
        loop {
            match self.read(&mut some) {
                Ok(0) => return all,
                Ok(read) => all.extend(&some[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the server hangs"),
                // a wait with a limit ends so where the machine, or this process, was stopped meanwhile
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return all,
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Asks a daemon.
#[derive(Clone, Debug)]
pub struct Client {
    pub target: Target,
    pub token: Option<String>,
}

/// What it answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Takes an answer apart; nothing where it is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (status, headers) = parse_head(std::str::from_utf8(&bytes[..end]).ok()?)?;
        let mut answer = Self { status, headers, body: bytes[end + 4..].to_vec() };
        if answer.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            Chunked::new(&answer.body[..]).read_to_end(&mut body).ok()?;
            answer.body = body;
        }
        Some(answer)
    }
}

fn parse_head(head: &str) -> Option<(u16, Vec<(String, String)>)> {
    let mut lines = head.split("\r\n");
    // an old request is answered in kind
    let status =
        lines.next()?.strip_prefix("HTTP/1.")?.strip_prefix(['0', '1'])?.strip_prefix(' ')?.get(..3)?.parse().ok()?;
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    Some((status, lines.filter_map(header).collect()))
}

impl Client {
    pub fn tcp(address: SocketAddr) -> Self {
        Self { target: Target::Tcp(address), token: None }
    }

    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { target: Target::Unix(path.into()), token: None }
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn connect(&self) -> Wire {
        self.try_connect().unwrap()
    }

    pub fn try_connect(&self) -> std::io::Result<Wire> {
        match &self.target {
            Target::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(HUNG))?;
                stream.set_write_timeout(Some(HUNG))?;
                Ok(Wire::Tcp(stream))
            }
            Target::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(HUNG))?;
                stream.set_write_timeout(Some(HUNG))?;
                Ok(Wire::Unix(stream))
            }
        }
    }

    /// A request as it goes over the wire; `headers` replaces those of the same name.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut all = vec![("Host".to_owned(), "localhost".to_owned())];
        if let Some(token) = &self.token {
            all.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        if !body.is_empty() {
            all.push(("Content-Type".to_owned(), "application/json".to_owned()));
            all.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        all.push(("Connection".to_owned(), "close".to_owned()));
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| name.eq_ignore_ascii_case(other)));
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in all {
            request += &format!("{name}: {value}\r\n");
        }
        [(request + "\r\n").as_bytes(), body].concat()
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let came = self.exchange(&self.request(method, path, headers, body));
        Answer::parse(&came).unwrap_or_else(|| panic!("no answer but {:?}", String::from_utf8_lossy(&came)))
    }

    /// Sends these bytes; the answer, if one came.
    pub fn raw(&self, bytes: &[u8]) -> Option<Answer> {
        Answer::parse(&self.exchange(bytes))
    }

    /// Sends these bytes; all that came.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut wire = self.connect();
        // the server may have answered and gone before it has read everything
        let _ = wire.write_all(bytes);
        wire.rest()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str) -> Answer {
        self.send("POST", path, &[], b"")
    }

    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[], body.to_string().as_bytes())
    }

    /// Subscribes to events; from the one after `last` on, if given.
    pub fn events(&self, last: Option<&str>) -> Events {
        self.try_events(last).unwrap_or_else(|status| panic!("status {status}"))
    }

    /// Subscribes to events, or the status of the refusal.
    pub fn try_events(&self, last: Option<&str>) -> Result<Events, u16> {
        let headers: Vec<_> = last.map(|last| ("Last-Event-ID", last)).into_iter().collect();
        let mut wire = self.connect();
        wire.write_all(&self.request("GET", "/api/events", &headers, b"")).unwrap();
        let mut wire = BufReader::new(wire);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(wire.read_line(&mut head).unwrap(), 0, "cut off in {head:?}");
        }
        match parse_head(&head).unwrap().0 {
            200 => Ok(Events(BufReader::new(Chunked::new(wire)))),
            status => Err(status),
        }
    }
}

/// Events as they come.
pub struct Events(BufReader<Chunked<BufReader<Wire>>>);

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

impl Iterator for Events {
    type Item = Event;

    /// Waits for the next event; nothing once the stream has ended.
    fn next(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (None, None, String::new());
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no event comes"),
                Err(_) => return None,
            }
            let line = line.trim_end_matches('\n');
            match line.split_once(": ") {
                Some(("event", value)) => name = Some(value.to_owned()),
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("data", value)) => data += value,
                _ if !line.is_empty() => {}
                _ => {
                    if let Some(name) = name.take() {
                        return Some(Event { name, id, data: serde_json::from_str(&data).unwrap() });
                    }
                }
            }
        }
    }
}

/// A body in chunks.
struct Chunked<R> {
    inner: R,
    left: usize,
    over: bool,
}

impl<R: BufRead> Chunked<R> {
    fn new(inner: R) -> Self {
        Self { inner, left: 0, over: false }
    }
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        if self.left == 0 && !self.over {
            let mut size = String::new();
            self.inner.read_line(&mut size)?;
            self.left = usize::from_str_radix(size.trim(), 16).map_err(|_| broken())?;
            self.over = self.left == 0;
        }
        if self.over {
            return Ok(0);
        }
        let most = buffer.len().min(self.left);
        let read = self.inner.read(&mut buffer[..most])?;
        self.left -= read;
        if read == 0 {
            return Err(broken());
        }
        if self.left == 0 {
            self.inner.read_exact(&mut [0; 2])?;
        }
        Ok(read)
    }
}
