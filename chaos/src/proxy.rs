//! What is between a node and its Redis, and can go wrong.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use roomwire_test_servers::free_port;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Everything takes this much longer, each way.
    Delay(Duration),
    /// Each connection carries this many bytes a second, each way.
    Rate(u32),
    /// Nothing arrives, either way, until this ends; then all of it does, as after a broken route.
    Hold,
    /// Nothing arrives, either way, and connections that lost something stay silent for ever: half-open.
    Swallow,
    /// Connections are reset, and new ones too.
    Reset,
    /// Connections are reset, and the port is closed.
    Refuse,
}

/// Which connections it goes wrong for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// All.
    All,
    /// Those that subscribed to a channel.
    Subscribers,
    /// The others.
    Commands,
}

/// How far a connection with a rate may be behind it and still catch up: a sleep takes longer than it was asked to.
const CATCHES_UP: Duration = Duration::from_millis(100);

/// A TCP proxy. Dropping it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    _accepts: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct State {
    server: Mutex<SocketAddr>,
    fault: watch::Sender<(Fault, Lines)>,
    /// Counts the calls of [`Proxy::cut`], with the connections they were for.
    cut: watch::Sender<(u64, Lines)>,
    /// Which connections that were opened before this many others are half-open now.
    silenced: Mutex<(usize, Lines)>,
    open: AtomicUsize,
    opened: AtomicUsize,
}

impl Proxy {
    /// Begins to pass connections on to a server.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn to(server: SocketAddr) -> Self {
        let (address, listener) = loop {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            if let Ok(listener) = TcpListener::bind(address).await {
                break (address, listener);
            }
        };
        let state = Arc::new(State {
            server: Mutex::new(server),
            fault: watch::Sender::new((Fault::None, Lines::All)),
            cut: watch::Sender::new((0, Lines::All)),
            silenced: Mutex::new((0, Lines::All)),
            open: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
        });
        let accepts = AbortOnDropHandle::new(tokio::spawn(accept(state.clone(), listener)));
        Self { address, state, _accepts: accepts }
    }

    /// What a node is told to be the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Lets something go wrong from now on, instead of what went wrong before.
    pub fn inject(&self, fault: Fault, lines: Lines) {
        self.state.fault.send_replace((fault, lines));
    }

    /// Passes new connections on to this server. Open connections stay where they are.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.state.server.lock() = server;
    }

    /// Lets nothing go wrong any more.
    pub fn heal(&self) {
        self.inject(Fault::None, Lines::All);
    }

    /// Resets the connections that are open now.
    pub fn cut(&self, lines: Lines) {
        self.state.cut.send_modify(|(count, of)| {
            *count += 1;
            *of = lines;
        });
    }

    /// Makes the connections that are open now half-open for ever; those that come are whole.
    pub fn silence(&self, lines: Lines) {
        *self.state.silenced.lock() = (self.opened(), lines);
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::Relaxed)
    }

    /// How many connections there ever were.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.state.opened.load(Ordering::Relaxed)
    }
}

impl State {
    fn fault_of(&self, is_subscriber: bool) -> Fault {
        let (fault, lines) = *self.fault.borrow();
        if concerns(lines, is_subscriber) { fault } else { Fault::None }
    }
}

fn concerns(lines: Lines, is_subscriber: bool) -> bool {
    match lines {
        Lines::All => true,
        Lines::Subscribers => is_subscriber,
        Lines::Commands => !is_subscriber,
    }
}

async fn accept(state: Arc<State>, listener: TcpListener) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = Some(listener);
    let mut faults = state.fault.subscribe();
    loop {
        let refuses = *faults.borrow_and_update() == (Fault::Refuse, Lines::All);
        if refuses {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        match &listener {
            Some(listening) => tokio::select! {
                accepted = listening.accept() => {
                    if let Ok((client, _)) = accepted {
                        tokio::spawn(pass(state.clone(), client));
                    }
                }
                // The sender lives as long as the state.
                _ = faults.changed() => {}
            },
            None if refuses => drop(faults.changed().await),
            // The port may be waiting for the last of its connections.
            None => sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Passes one connection on until one side ends it or it is reset.
async fn pass(state: Arc<State>, client: TcpStream) {
    let open = Open::count(&state);
    if matches!(state.fault_of(false), Fault::Reset | Fault::Refuse) {
        return reset(&client);
    }
    let server = *state.server.lock();
    let Ok(server) = TcpStream::connect(server).await else { return reset(&client) };
    // Latency is what faults are made of, not what the proxy adds.
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let line = Arc::new(Connection {
        state: state.clone(),
        number: open.number,
        subscriber: AtomicBool::new(false),
        lost: AtomicBool::new(false),
    });
    let (client_end, server_end) =
        (socket2::SockRef::from(&client).try_clone(), socket2::SockRef::from(&server).try_clone());
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = carry(line.clone(), from_client, to_server, true) => {}
        () = carry(line.clone(), from_server, to_client, false) => {}
        () = line.is_cut() => {
            for end in [client_end, server_end].into_iter().flatten() {
                // Whatever was queued is lost with the connection.
                let _ = end.set_linger(Some(Duration::ZERO));
            }
        }
    }
}

/// Ends a connection with a reset.
fn reset(stream: &TcpStream) {
    // It ends in any case, and a close is no worse for the peer.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

struct Connection {
    state: Arc<State>,
    /// How many there were before it.
    number: usize,
    subscriber: AtomicBool,
    /// Something was swallowed: what follows would make no sense.
    lost: AtomicBool,
}

impl Connection {
    fn fault(&self) -> Fault {
        if self.lost.load(Ordering::Acquire) {
            return Fault::Swallow;
        }
        let is_subscriber = self.subscriber.load(Ordering::Acquire);
        let (before, lines) = *self.state.silenced.lock();
        if self.number < before && concerns(lines, is_subscriber) {
            return Fault::Swallow;
        }
        self.state.fault_of(is_subscriber)
    }

    async fn is_cut(&self) {
        let mut cuts = self.state.cut.subscribe();
        let mut faults = self.state.fault.subscribe();
        loop {
            if matches!(self.fault(), Fault::Reset | Fault::Refuse) {
                return;
            }
            tokio::select! {
                _ = cuts.changed() => {
                    let (_, lines) = *cuts.borrow_and_update();
                    if concerns(lines, self.subscriber.load(Ordering::Acquire)) {
                        return;
                    }
                }
                _ = faults.changed() => {}
            }
        }
    }

    /// Waits while nothing may arrive; false when this will never arrive.
    async fn may_pass(&self) -> bool {
        let mut faults = self.state.fault.subscribe();
        loop {
            match self.fault() {
                Fault::Hold => drop(faults.changed().await),
                Fault::Swallow => {
                    self.lost.store(true, Ordering::Release);
                    return false;
                }
                _ => return true,
            }
        }
    }
}

/// Carries bytes one way until the connection ends.
async fn carry(line: Arc<Connection>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_command: bool) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        let mut free = Instant::now();
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let bytes = &buffer[..length];
            if is_command && !line.subscriber.load(Ordering::Relaxed) && subscribes(bytes) {
                line.subscriber.store(true, Ordering::Release);
            }
            let due = match line.fault() {
                Fault::Delay(late) => Instant::now() + late,
                Fault::Rate(bytes_per_second) => {
                    free = free.max(Instant::now() - CATCHES_UP)
                        + Duration::from_secs_f64(length as f64 / f64::from(bytes_per_second));
                    // What is not read yet waits where it comes from, as on a slow line.
                    sleep_until(free).await;
                    free
                }
                _ => Instant::now(),
            };
            if sender.send((due, bytes.to_vec())).is_err() {
                return;
            }
        }
        drop(sender);
    };
    let write = async {
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due).await;
            if line.may_pass().await && to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    // Each half ends when the other does: the reader drops the sender, the writer the receiver.
    tokio::join!(read, async {
        write.await;
        // The end of a connection that is held or half-open is not passed on.
        while !line.may_pass().await {
            std::future::pending::<()>().await;
        }
    });
}

/// Whether a client's bytes hold a command that subscribes to a channel.
fn subscribes(bytes: &[u8]) -> bool {
    let upper = bytes.to_ascii_uppercase();
    upper.windows(b"SUBSCRIBE\r\n".len()).any(|window| window == b"SUBSCRIBE\r\n")
}

/// Counts a connection while it is open.
struct Open<'a> {
    state: &'a State,
    number: usize,
}

impl<'a> Open<'a> {
    fn count(state: &'a State) -> Self {
        state.open.fetch_add(1, Ordering::Relaxed);
        Self { state, number: state.opened.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.state.open.fetch_sub(1, Ordering::Relaxed);
    }
}
