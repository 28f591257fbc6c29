//! Groups of processes on this machine: this test's own binary, started once for each rank.

use std::env;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tch::{Kind, Tensor};
use torch_ext::{Meeting, ProcessGroup, TorchExtError};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts this binary as one rank, to run the ignored test of that name alone.
fn start(role: &str, port: u16, rank: usize, world: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([role, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .envs([("GROUP_PORT", port.to_string()), ("GROUP_RANK", rank.to_string())])
        .env("GROUP_WORLD", world.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn number(name: &str) -> usize {
    env::var(name).expect("set by the test that starts this one").parse().unwrap()
}

fn meet(timeout: f64) -> Result<ProcessGroup, TorchExtError> {
    let (rank, world) = (number("GROUP_RANK"), number("GROUP_WORLD"));
    let meeting = Meeting {
        host: "127.0.0.1".to_owned(),
        port: number("GROUP_PORT") as u16,
        serves: rank == 0,
        name: "test".to_owned(),
    };
    ProcessGroup::meet(&meeting, rank, world, Duration::from_secs_f64(timeout))
}

fn ended(children: Vec<Child>) -> Vec<Output> {
    children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Oracle: sums and lists by hand.
#[test]
#[ignore = "one rank of `processes_exchange_tensors`"]
fn exchanging() {
    let group = meet(60.0).unwrap();
    let (rank, world) = (group.rank() as i64, group.world() as i64);
    for kind in [Kind::Float, Kind::Double, Kind::Int64] {
        let tensor =
            (Tensor::arange(1000, (Kind::Int64, tch::Device::Cpu)) * (rank + 1)).to_kind(kind);
        group.sum(&tensor).unwrap();
        let times = world * (world + 1) / 2;
        let expected =
            (Tensor::arange(1000, (Kind::Int64, tch::Device::Cpu)) * times).to_kind(kind);
        assert!(tensor.equal(&expected), "{kind:?}");
    }
    let tensor = Tensor::from_slice(&[rank as f32, 7.0]);
    let gathered = group.gather(&tensor).unwrap();
    assert_eq!(gathered.size(), [world, 2]);
    let ranks: Vec<f32> = Vec::try_from(gathered.select(1, 0)).unwrap();
    assert_eq!(ranks, (0..world).map(|rank| rank as f32).collect::<Vec<_>>());
    group.broadcast(&tensor, world as usize - 1).unwrap();
    assert_eq!(Vec::<f32>::try_from(tensor).unwrap(), [(world - 1) as f32, 7.0]);
    // Bytes of different lengths, none at rank 0.
    let own = "ab".repeat(group.rank());
    let all = group.gather_bytes(own.as_bytes()).unwrap();
    for (rank, bytes) in all.iter().enumerate() {
        assert_eq!(*bytes, "ab".repeat(rank).into_bytes());
    }
    let first = group.bytes_of_first(if rank == 0 { b"first" } else { b"" }).unwrap();
    assert_eq!(first, b"first");
    let strided = Tensor::zeros([4, 4], (Kind::Float, tch::Device::Cpu)).tr();
    assert!(matches!(group.sum(&strided.narrow(0, 0, 2)), Err(TorchExtError::Layout { .. })));
    group.barrier().unwrap();
    assert!(group.reported().is_none());
    group.leave();
}

#[test]
fn processes_exchange_tensors() {
    for world in [1, 2, 3] {
        let port = free_port();
        let ranks = (0..world).map(|rank| start("exchanging", port, rank, world)).collect();
        for output in ended(ranks) {
            assert!(output.status.success(), "{}", said(&output));
        }
    }
}

#[test]
#[ignore = "one rank of `a_rank_that_ends_is_named`"]
fn losing_one() {
    let group = meet(3.0).unwrap();
    group.barrier().unwrap();
    if group.rank() == number("GROUP_WORLD") - 1 {
        std::process::abort();
    }
    let error = group.barrier().unwrap_err();
    let TorchExtError::Peers { missing, speaks, .. } = &error else { panic!("{error}") };
    assert_eq!(missing, &[number("GROUP_WORLD") - 1], "{error}");
    assert_eq!(*speaks, group.rank() == 0);
    let message = error.to_string();
    assert!(message.starts_with("rank 2 is missing at the exchange of sum"), "{message}");
    group.leave();
}

#[test]
fn a_rank_that_ends_is_named() {
    let port = free_port();
    let outputs = ended((0..3).map(|rank| start("losing_one", port, rank, 3)).collect());
    for output in &outputs[..2] {
        assert!(output.status.success(), "{}", said(output));
    }
    assert!(!outputs[2].status.success());
}

#[test]
#[ignore = "one rank of `a_rank_that_does_not_come_is_named`"]
fn waiting() {
    let error = meet(2.0).unwrap_err();
    let TorchExtError::Peers { missing, .. } = &error else { panic!("{error}") };
    assert_eq!(missing, &[1], "{error}");
}

#[test]
fn a_rank_that_does_not_come_is_named() {
    let port = free_port();
    for output in ended([0, 2].map(|rank| start("waiting", port, rank, 3)).into()) {
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
#[ignore = "one rank of `one_rank_twice_is_refused`"]
fn doubling() {
    match meet(2.0) {
        Err(TorchExtError::SameRank { rank: 1 }) => std::process::exit(7),
        Err(TorchExtError::Peers { missing, .. }) if missing == [2] => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_rank_twice_is_refused() {
    let port = free_port();
    let outputs = ended([0, 1, 1].map(|rank| start("doubling", port, rank, 3)).into());
    let mut codes: Vec<Option<i32>> = outputs.iter().map(|output| output.status.code()).collect();
    codes.sort();
    assert_eq!(codes, [Some(0), Some(0), Some(7)], "{}", said(&outputs[0]));
}

/// Nobody serves the store; the message names the place.
#[test]
fn a_store_that_is_not_there_is_one_error() {
    let port = free_port();
    let meeting =
        Meeting { host: "127.0.0.1".to_owned(), port, serves: false, name: String::new() };
    let error = ProcessGroup::meet(&meeting, 1, 2, Duration::from_secs(1)).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(&format!("cannot meet at 127.0.0.1:{port}")), "{message}");
}
