//! A daemon that is made up, and a server before it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use gaitd_api::{
    Activities, ActivityCount, ActivityMinutes, ActivityNow, Aliveness, Change, Explanation, FaultView, LadderView,
    LocalTime, MemoryView, ModelView, OutputState, OutputView, Readiness, ReloadOutcome, Reloaded, ReloadsView,
    SettingsView, SourceState, SourceView, Status, Today,
};
use gaitd_api::{CascadeCounts, HeadCounts, Misses, WindowCounts};
use gaitd_core::control::{Choice, Estimate, Forecast, Load, Outlook, PolicySpec, Reason};
use gaitd_core::engine::{Considered, Decision, Settings};
use gaitd_core::ladder::{Ladder, Manifest, Percentiles, Profile, ProfileKey, Profiled};
use gaitd_core::plausibility::{Fault, Response};
use gaitd_core::stream::StreamCounts;
use gaitd_daemon::http::{Limits, Listeners, Server, ServerOptions};
use gaitd_daemon::publish::{Board, Metrics, RunHeader};
use gaitd_daemon::{Config, Http, Operator, Refusal};
use gaitd_embedded::Embedded;
use gaitd_tract::Tract;
use tempfile::TempDir;

use gaitd_tests::http::Client;

pub const TOKEN: &str = "a token of the test";

struct Shipped {
    view: LadderView,
    manifest: Arc<Manifest>,
}

static SHIPPED: LazyLock<Shipped> = LazyLock::new(|| {
    let ladder = Ladder::load(&Embedded, &[&Tract]).unwrap();
    let mut profile = Profile::new(&ProfileKey::new(&ladder, "test"), 0, 0, Duration::ZERO);
    let percentiles = Percentiles { p50: 100.0, p90: 200.0, p99: 300.0 };
    for configuration in ladder.configurations() {
        let id = configuration.id.clone();
        profile.configurations.push(Profiled { id, hot: percentiles, paced: percentiles, halves: None });
    }
    Shipped { view: LadderView::new(&ladder, &profile), manifest: ladder.manifest().clone() }
});

pub fn manifest() -> Arc<Manifest> {
    Arc::clone(&SHIPPED.manifest)
}

pub fn header() -> RunHeader {
    RunHeader {
        manifest: manifest(),
        stream: "test".to_owned(),
        source: "a test".to_owned(),
        simulated: true,
        timed: true,
        policy: "bayes".to_owned(),
        budget: Duration::from_millis(50),
    }
}

/// The decision number `window`, 10 ms after its last sample.
pub fn decision(window: u64) -> Decision {
    let mut decision = Decision::empty(&manifest());
    let forecast = Forecast { predicted: Duration::from_millis(7), miss_probability: Some(0.01) };
    let outlook = Outlook { accuracy: 0.95, cost: Duration::from_millis(6), short: None };
    decision.considered = vec![Considered { outlook, forecast }; decision.manifest.configurations.len()];
    decision.choice = Choice { plan: (window % 3) as usize, reason: Reason::MostAccurateInTime, forecast };
    decision.rung = decision.choice.plan;
    decision.window = window;
    (decision.belief[0], decision.instant.probabilities[0]) = (1.0, 1.0);
    decision.slowdown = Some(Estimate { mean: 1.1, spread: 0.2 });
    decision.budget = Duration::from_millis(50);
    decision.available = Duration::from_millis(48);
    decision.condition = Duration::from_micros(30);
    decision.wait = Duration::from_micros(20);
    decision.prepare = Duration::from_micros(50);
    decision.infer = Duration::from_micros(9900);
    decision.arrived = Duration::from_secs(window);
    decision.decided = decision.arrived + Duration::from_millis(10);
    decision
}

/// The time at which [`decision`] was published.
pub fn published(decision: &Decision) -> Duration {
    decision.decided + Duration::from_micros(100)
}

/// A daemon that is made up.
pub struct Fake {
    pub settings: Mutex<Settings>,
    pub token: Mutex<Option<String>>,
    pub sound: AtomicBool,
    pub decided: AtomicBool,
    pub listeners: Listeners,
    pub board: Board,
    pub reloads: Mutex<Reloading>,
}

/// What a reload does.
pub enum Reloading {
    Done,
    Refused,
    Busy,
    Panics,
    /// Tells that it has begun, and waits to be allowed to end.
    Slow(Sender<()>, Receiver<()>),
}

impl Operator for Fake {
    fn status(&self) -> Status {
        Status {
            version: "0.0.0".to_owned(),
            run: self.board.run().to_owned(),
            stream: "test".to_owned(),
            pid: 1,
            uptime_s: 12.5,
            alive: self.alive(),
            ready: self.ready(),
            model: ModelView {
                name: "a \"model\" \\ of\nours".to_owned(),
                origin: "the test".to_owned(),
                hash: "ab".to_owned(),
                backend: "tract".to_owned(),
                kernels: vec!["fma_mmm_f32_8x8".to_owned()],
                configurations: 3,
            },
            source: SourceView {
                name: "a test".to_owned(),
                simulated: true,
                state: SourceState::Streaming,
                detail: None,
                failures: 2,
                last_sample_age_s: Some(0.02),
                samples: StreamCounts { samples: 640, resets: 3, gaps: 2, ..StreamCounts::default() },
                implausible: vec![FaultView {
                    sensor: "acc".to_owned(),
                    fault: Fault::Frozen,
                    response: Response::Hold,
                    present: true,
                    seconds: 7.5,
                    times: 2,
                    explanation: "it hangs".to_owned(),
                }],
                rate_hz: Some(49.5),
                delay_s: 0.06,
            },
            windows: WindowCounts { produced: 13, decided: 8, dropped: 1, held: 3, failed: 1, published: 7, lost: 1 },
            misses: Some(Misses { count: 1, rate: 1.0 / 7.0 }),
            switches: 4,
            today: Today {
                midnight: LocalTime::new(Duration::from_secs(1_764_370_800)),
                activities: vec![ActivityMinutes { activity: "sitting".to_owned(), minutes: 12.5 }],
            },
            heads: HeadCounts { begun: 9, answered: 8, late: 1 },
            cascades: CascadeCounts { not_needed: 3, answered: 2, no_time: 1, failed: 4 },
            outputs: vec![OutputView {
                name: "standard output".to_owned(),
                state: OutputState::Writing,
                detail: None,
                published: 4,
                lost: 1,
            }],
            settings: self.settings(),
            slowdown: Some(Estimate { mean: 1.5, spread: 0.25 }),
            token: true,
            signals: Load::cpu(0.25),
            memory: MemoryView { resident_bytes: Some(40 << 20), ladder_bytes: 8 << 20 },
            reloads: ReloadsView {
                done: 1,
                refused: 0,
                last: Some(ReloadOutcome { ok: true, at_s: 3.0, message: "done".to_owned() }),
            },
            listeners: self.listeners.views(),
            subscribers: self.board.subscribers(),
        }
    }

    fn activities(&self) -> Activities {
        let count = |(place, activity): (usize, &String)| ActivityCount {
            activity: activity.clone(),
            windows: 10 * place as u64,
            seconds: 12.8 * place as f64,
        };
        let total: Vec<_> = manifest().task.labels.iter().enumerate().map(count).collect();
        let now = self.decided.load(Ordering::Relaxed);
        let now = now.then(|| ActivityNow { activity: "sitting".to_owned(), unchanged_s: 2.5 });
        Activities { hop_s: 1.28, now, midnight: None, today: total.clone(), total, spans: Vec::new() }
    }

    fn alive(&self) -> Aliveness {
        let alive = self.sound.load(Ordering::Relaxed);
        Aliveness { alive, reason: (!alive).then(|| "the engine hangs".to_owned()) }
    }

    fn ready(&self) -> Readiness {
        let ready = self.sound.load(Ordering::Relaxed);
        Readiness { ready, reasons: if ready { Vec::new() } else { vec!["no samples".to_owned()] } }
    }

    fn config(&self) -> serde_json::Value {
        serde_json::to_value(Config { http: Some(Http::default()), ..Config::default() }).unwrap()
    }

    fn ladder(&self) -> LadderView {
        SHIPPED.view.clone()
    }

    fn settings(&self) -> SettingsView {
        SettingsView::from(&*self.settings.lock().unwrap())
    }

    fn change(&self, change: &Change) -> Result<SettingsView, Refusal> {
        let mut settings = self.settings.lock().unwrap();
        let changed = change.applied(&settings).map_err(|error| Refusal::Invalid(error.to_string()))?;
        if changed.pinned.as_ref().is_some_and(|pin| pin == "none such") {
            return Err(Refusal::Invalid("the ladder has no configuration none such".to_owned()));
        }
        *settings = changed;
        Ok(SettingsView::from(&*settings))
    }

    fn reload(&self) -> Result<Reloaded, Refusal> {
        let reloading = std::mem::replace(&mut *self.reloads.lock().unwrap(), Reloading::Done);
        match reloading {
            Reloading::Done => Ok(Reloaded { changed: vec!["control.budget_ms".to_owned()], ..Reloaded::default() }),
            Reloading::Refused => Err(Refusal::Invalid("source: no such file".to_owned())),
            Reloading::Busy => Err(Refusal::Busy("a reload is under way".to_owned())),
            Reloading::Panics => panic!("meant to"),
            Reloading::Slow(begun, end) => {
                begun.send(()).unwrap();
                // the test may have ended
                let _ = end.recv();
                Ok(Reloaded::default())
            }
        }
    }

    fn explain(&self) -> Option<Explanation> {
        self.decided.load(Ordering::Relaxed).then(|| Explanation::from(&decision(17)))
    }

    fn token(&self) -> Option<String> {
        self.token.lock().unwrap().clone()
    }

    fn hosts(&self) -> Vec<String> {
        vec!["gait.example".to_owned()]
    }
}

impl Fake {
    /// The next reload is slow: what tells that it has begun, and what lets it end.
    pub fn slow_reload(&self) -> (Receiver<()>, Sender<()>) {
        let ((begun, told), (end, ended)) = (channel(), channel());
        *self.reloads.lock().unwrap() = Reloading::Slow(begun, ended);
        (told, end)
    }
}

/// A server on a free port and a socket in a folder of its own.
pub struct World {
    pub fake: Arc<Fake>,
    pub board: Board,
    pub metrics: Arc<Metrics>,
    pub server: Server,
    pub tcp: Client,
    pub unix: Client,
    pub folder: TempDir,
}

/// Limits that no test waits for.
pub fn patient() -> Limits {
    let long = Duration::from_secs(600);
    Limits { header: long, body: long, stall: long, heartbeat: long, status: long, ..Limits::default() }
}

pub fn fake() -> Arc<Fake> {
    Arc::new(Fake {
        settings: Mutex::new(Settings::new(Duration::from_millis(50), 0.02, PolicySpec::Bayes {})),
        token: Mutex::new(Some(TOKEN.to_owned())),
        sound: AtomicBool::new(true),
        decided: AtomicBool::new(true),
        listeners: Listeners::default(),
        board: Board::new("run7".to_owned()),
        reloads: Mutex::new(Reloading::Done),
    })
}

pub fn start(fake: &Arc<Fake>, options: ServerOptions) -> (Server, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new(Duration::from_millis(50)));
    let operator: Arc<dyn Operator> = fake.clone();
    let options = ServerOptions { listeners: fake.listeners.clone(), ..options };
    let server = Server::start(options, operator, fake.board.clone(), Arc::clone(&metrics)).unwrap();
    (server, metrics)
}

pub fn anywhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub fn world(limits: Limits) -> World {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run/control.sock");
    let fake = fake();
    fake.board.greet(&header());
    let options = ServerOptions { tcp: Some(anywhere()), unix: Some(path.clone()), limits, ..ServerOptions::default() };
    let (server, metrics) = start(&fake, options);
    let address = server.listeners().views()[0].address.parse().unwrap();
    let (tcp, unix) = (Client::tcp(address), Client::unix(path));
    World { board: fake.board.clone(), fake, metrics, server, tcp, unix, folder }
}

impl World {
    /// How often the server has refused for this cause.
    pub fn refused(&self, cause: &str) -> u64 {
        let answer = self.unix.get("/metrics");
        let line = format!("gaitd_http_refused_total{{cause=\"{cause}\"}} ");
        answer.text().lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse().unwrap()
    }
}

/// Asks again and again until it is so; for what another thread is about to do.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let hung = std::time::Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(std::time::Instant::now() < hung, "never: {what}");
        std::thread::yield_now();
    }
}
