//! A Redis Cluster on a network that can be cut: a node stays alive, but the other nodes or the servers no longer reach it.
//!
//! Each node listens, and calls from, an address of its own, 127.0.0.2 and so on. What it announces is the same two ports on
//! 127.0.0.1, and there we stand and pass on what comes, so we know by its address who speaks with whom. A cut is silence, as
//! when packets are dropped: nothing breaks, what was on its way waits and arrives late, and who calls meanwhile hears nothing.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::redis::{Port, RedisCluster, RedisServer};

/// Where everybody who is no node of the cluster calls from.
const SERVERS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Whom a node is cut off from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Peers {
    /// Every other node, while the servers reach it.
    Nodes,
    /// The servers, while the cluster is whole.
    Servers,
}

/// A cluster, and the network that it is on.
#[derive(Debug)]
pub(crate) struct Network {
    /// The cluster. What a test asks a node goes there directly, however it is cut off.
    pub(crate) cluster: RedisCluster,
    wires: Arc<Wires>,
    doors: Vec<SocketAddr>,
}

/// Which ways are cut.
#[derive(Debug, Default)]
struct Wires {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    cuts: HashSet<(IpAddr, Peers)>,
    ended: bool,
}

/// From whoever called to the node that was called.
#[derive(Debug, Clone, Copy)]
struct Way {
    from: IpAddr,
    node: SocketAddr,
}

impl Network {
    /// Starts a whole cluster, six nodes as [`RedisCluster::start`] does.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let wires = Arc::new(Wires::default());
        let mut doors = Vec::new();
        let mut door = |node: &str| {
            let port = Port::free();
            let address = SocketAddr::new(SERVERS, port.number);
            let door = TcpListener::bind(address).expect("a door");
            doors.push(address);
            let (wires, node) = (Arc::clone(&wires), SocketAddr::new(node.parse().expect("an address"), port.number));
            thread::spawn(move || wires.keep_door(&door, node));
            port
        };
        let nodes = (2..8).map(|n| {
            let node = format!("127.0.0.{n}");
            let ports = [door(&node), door(&node)];
            // Long enough for a test to do something with a master that has been cut off, on a slow machine too.
            let patience = "cluster-node-timeout 2500";
            let options = [&format!("bind-source-addr {node}"), "cluster-announce-ip 127.0.0.1", patience];
            RedisCluster::start_node(&node, ports, &options)
        });
        let cluster = RedisCluster::of(nodes.collect());
        Self { cluster, wires, doors }
    }

    /// Nothing goes between the node and those others, until the network is whole again.
    pub(crate) fn cut_off(&self, node: &RedisServer, from: Peers) {
        self.wires.change(|state| state.cuts.extend([(node.ip(), from)]));
    }

    /// Makes the network whole again.
    pub(crate) fn heal(&self) {
        self.wires.change(|state| state.cuts.clear());
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.wires.change(|state| state.ended = true);
        // Whoever waits at a door sees by this call that it is over.
        self.doors.iter().for_each(|door| drop(TcpStream::connect(door)));
    }
}

impl RedisServer {
    fn ip(&self) -> IpAddr {
        self.address.parse().expect("an address")
    }
}

impl State {
    fn is_cut(&self, way: Way) -> bool {
        self.cuts.iter().any(|(node, from)| match from {
            Peers::Servers => way.from == SERVERS && way.node.ip() == *node,
            Peers::Nodes => way.from != SERVERS && (way.from == *node || way.node.ip() == *node),
        })
    }
}

impl Wires {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits until the way is whole, or all is over.
    fn wait_for(&self, way: Way) {
        let state = self.state();
        drop(self.changed.wait_while(state, |state| !state.ended && state.is_cut(way)));
    }

    /// Lets in whoever calls, until all is over.
    fn keep_door(self: Arc<Self>, door: &TcpListener, node: SocketAddr) {
        for caller in door.incoming().flatten() {
            if self.state().ended {
                return;
            }
            let Ok(address) = caller.peer_addr() else { continue };
            let (wires, way) = (Arc::clone(&self), Way { from: address.ip(), node });
            thread::spawn(move || wires.connect(&caller, way));
        }
    }

    fn connect(self: Arc<Self>, caller: &TcpStream, way: Way) {
        if self.state().is_cut(way) {
            // Not even the call came through, so there is nothing that could arrive late.
            return self.wait_for(way);
        }
        let Ok(node) = TcpStream::connect(way.node) else { return };
        let (Ok(back), Ok(answers)) = (caller.try_clone(), node.try_clone()) else { return };
        let wires = Arc::clone(&self);
        thread::spawn(move || wires.pass_on(&answers, &back, way));
        self.pass_on(caller, &node, way);
    }

    /// Passes on what comes from one end, its end too.
    fn pass_on(&self, mut from: &TcpStream, mut to: &TcpStream, way: Way) {
        let mut bytes = [0; 16 << 10];
        // Nobody shall wait for a segment to fill.
        drop(to.set_nodelay(true));
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            self.wait_for(way);
            if to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        self.wait_for(way);
        drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
    }
}
