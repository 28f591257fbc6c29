//! Groups of processes that exchange tensors, by libtorch's own engine, c10d.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tch::{Device, Tensor, no_grad};

use crate::error::{Result, TorchExtError};
use crate::ffi::group::Group;

/// The place where the processes of a group meet: a store that one of them, or the program that started them, serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Name or address of the machine that serves the store.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether this process serves it.
    pub serves: bool,
    /// A name that no other group at the same store has, nor an earlier attempt of this one.
    pub name: String,
}

/// A group of `world` processes, each with a rank from 0, connected by Gloo.
///
/// All ranks call the same operations in the same order. A rank that does not take part within the timeout, or whose
/// process has ended, is an error that names it. After an error the group cannot be used any more.
///
/// Tensors of a GPU go by NCCL after [`ProcessGroup::join_gpus`], and else through the memory of the CPU.
#[derive(Debug)]
pub struct ProcessGroup {
    group: Group,
    serves: bool,
    rank: usize,
    world: usize,
    timeout: Duration,
    /// Ranks that are known to be lost.
    gone: Mutex<Vec<usize>>,
    /// Whether tensors of GPUs go by NCCL.
    gpus: AtomicBool,
}

/// The library of `cpp/nccl.cpp`, if it was compiled: it needs the headers of CUDA.
const NCCL: Option<&str> = option_env!("TORCH_EXT_NCCL");

/// Time between two looks at the store.
const PAUSE: Duration = Duration::from_millis(20);
/// Maximum time to wait for a sign of life of the others after an operation has failed.
const GRACE: Duration = Duration::from_secs(5);

impl ProcessGroup {
    /// Meets the other processes; each operation, this one too, may take `timeout`.
    ///
    /// # Errors
    /// [`TorchExtError::NoMeeting`] if the store cannot be reached or served, [`TorchExtError::SameRank`] if another
    /// process has this rank, [`TorchExtError::Peers`] with the ranks that did not come.
    pub fn meet(
        meeting: &Meeting,
        rank: usize,
        world: usize,
        timeout: Duration,
    ) -> Result<ProcessGroup> {
        let Meeting { host, port, serves, name } = meeting;
        let no_meeting = |error| match error {
            TorchExtError::Cpp(reason) => {
                TorchExtError::NoMeeting { host: host.clone(), port: *port, reason }
            }
            other => other,
        };
        let group = Group::new(host, *port, *serves, name, timeout).map_err(no_meeting)?;
        let this = ProcessGroup {
            group,
            serves: *serves,
            rank,
            world,
            timeout,
            gone: Mutex::default(),
            gpus: AtomicBool::new(false),
        };
        if !this.group.claim(&format!("rank/{rank}")).map_err(no_meeting)? {
            return Err(TorchExtError::SameRank { rank });
        }
        let missing = this.missing("here", timeout);
        if !missing.is_empty() {
            this.leave();
            return Err(this.peers(missing, "the start", "did not come".to_owned()));
        }
        this.group
            .join(host, rank, world, timeout)
            .map_err(|error| this.lost("the start", error))?;
        Ok(this)
    }

    /// The rank of this process.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Number of processes.
    pub fn world(&self) -> usize {
        self.world
    }

    /// Makes tensors of GPUs go by NCCL from now on, and returns whether they do: not where this crate was compiled without
    /// the headers of CUDA. All ranks call this, each with its own GPU and after [`load_cuda`](crate::load_cuda).
    ///
    /// # Errors
    /// [`TorchExtError::Cpp`] if NCCL cannot be loaded.
    pub fn join_gpus(&self) -> Result<bool> {
        let Some(library) = NCCL else { return Ok(false) };
        if !self.gpus.load(Ordering::Relaxed) {
            self.group.join_gpus(library, self.rank, self.world, self.timeout)?;
            self.gpus.store(true, Ordering::Relaxed);
        }
        Ok(true)
    }

    /// Replaces the numbers of `tensor` by their sums over all ranks, which are the same bits on each.
    ///
    /// # Errors
    /// [`TorchExtError::Peers`]; also for a tensor that is not contiguous.
    pub fn sum(&self, tensor: &Tensor) -> Result<()> {
        self.on_host("sum", tensor, |tensor| self.group.sum(tensor))
    }

    /// Replaces the numbers of `tensor` by those of rank `from`.
    ///
    /// # Errors
    /// As [`ProcessGroup::sum`].
    pub fn broadcast(&self, tensor: &Tensor, from: usize) -> Result<()> {
        self.on_host("broadcast", tensor, |tensor| self.group.broadcast(tensor, from))
    }

    /// The tensors of all ranks, which have one shape, `[world, ..]`.
    ///
    /// # Errors
    /// As [`ProcessGroup::sum`].
    pub fn gather(&self, tensor: &Tensor) -> Result<Tensor> {
        let size: Vec<i64> = std::iter::once(self.world as i64).chain(tensor.size()).collect();
        let by_gpus = self.gpus.load(Ordering::Relaxed);
        let place = if by_gpus { tensor.device() } else { Device::Cpu };
        let gathered = Tensor::f_zeros(&size, (tensor.kind(), place))?;
        self.on_host("gather", tensor, |tensor| self.group.gather(tensor, &gathered))?;
        Ok(gathered.f_to(tensor.device())?)
    }

    /// The bytes of all ranks, of any lengths, in the order of ranks.
    ///
    /// # Errors
    /// As [`ProcessGroup::sum`].
    pub fn gather_bytes(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lengths = self.gather(&Tensor::from_slice(&[bytes.len() as i64]))?;
        let lengths = Vec::<i64>::try_from(lengths.f_view([-1])?)?;
        let longest = lengths.iter().copied().max().unwrap_or(0) as usize;
        let mut padded = bytes.to_vec();
        padded.resize(longest.max(1), 0);
        let gathered = self.gather(&Tensor::from_slice(&padded))?;
        let gathered = Vec::<u8>::try_from(gathered.f_view([-1])?)?;
        let parts = gathered.chunks(longest.max(1)).zip(lengths);
        Ok(parts.map(|(part, length)| part[..length as usize].to_vec()).collect())
    }

    /// The bytes of rank 0, on every rank.
    ///
    /// # Errors
    /// As [`ProcessGroup::sum`].
    pub fn bytes_of_first(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let length = Tensor::from_slice(&[bytes.len() as i64]);
        self.broadcast(&length, 0)?;
        let length = length.f_int64_value(&[0])? as usize;
        let mut all = if self.rank == 0 { bytes.to_vec() } else { Vec::new() };
        all.resize(length.max(1), 0);
        let tensor = Tensor::from_slice(&all);
        self.broadcast(&tensor, 0)?;
        let mut all = Vec::<u8>::try_from(tensor)?;
        all.truncate(length);
        Ok(all)
    }

    /// Waits until every rank has come here.
    ///
    /// # Errors
    /// [`TorchExtError::Peers`].
    pub fn barrier(&self) -> Result<()> {
        self.sum(&Tensor::from_slice(&[0_i64]))
    }

    /// Leaves word that this process fails for a reason of its own; `true` if it is the first to say so.
    pub fn report(&self, message: &str) -> bool {
        let _ = self.group.bound(GRACE);
        let first = self.group.claim("failed").unwrap_or(true);
        first && self.group.set("failure", &format!("rank {}: {message}", self.rank)).is_ok()
    }

    /// The word of another process that failed, if one is left within a moment.
    pub fn reported(&self) -> Option<String> {
        let _ = self.group.bound(GRACE);
        self.group.has("failure").ok()?.then(|| self.group.get("failure").ok())?
    }

    /// Ends the use of the group. The process that serves the store waits until the others have read what they need.
    pub fn leave(&self) {
        let _ = self.group.bound(GRACE);
        let _ = self.group.set(&format!("left/{}", self.rank), "");
        if self.serves {
            let _ = self.missing("left", GRACE.min(self.timeout));
        }
    }

    fn on_host(
        &self,
        doing: &'static str,
        tensor: &Tensor,
        exchange: impl FnOnce(&Tensor) -> Result<()>,
    ) -> Result<()> {
        if !tensor.is_contiguous() {
            return Err(TorchExtError::Layout { tensor: doing });
        }
        let lost = |error| self.lost(doing, error);
        if tensor.device() == Device::Cpu || self.gpus.load(Ordering::Relaxed) {
            return exchange(tensor).map_err(lost);
        }
        let host = tensor.f_to(Device::Cpu)?;
        exchange(&host).map_err(lost)?;
        no_grad(|| tensor.shallow_clone().f_copy_(&host))?;
        Ok(())
    }

    /// The error of a failed exchange: some ranks do not take part any more.
    fn lost(&self, doing: &'static str, error: TorchExtError) -> TorchExtError {
        let TorchExtError::Cpp(reason) = error else { return error };
        let _ = self.group.bound(GRACE);
        let missing = self.missing("alive", GRACE.min(self.timeout));
        *self.gone.lock().unwrap_or_else(PoisonError::into_inner) = missing.clone();
        self.peers(missing, doing, reason)
    }

    fn peers(&self, missing: Vec<usize>, doing: &'static str, reason: String) -> TorchExtError {
        // The lowest rank that is left speaks for all.
        let speaks = (0..self.world).find(|rank| !missing.contains(rank)) == Some(self.rank);
        TorchExtError::Peers { missing, doing, reason, timeout: self.timeout, speaks }
    }

    /// Leaves a sign of this rank, and returns those that left none within `time`. Without the store they are those
    /// that were missing when it was last read, or else rank 0, which served it unless the program that started us did.
    fn missing(&self, sign: &str, time: Duration) -> Vec<usize> {
        let end = Instant::now() + time;
        let key = |rank: usize| format!("{sign}/{rank}");
        let mut missing = vec![0];
        if self.group.set(&key(self.rank), "").is_err() {
            return missing;
        }
        loop {
            let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let others = (0..self.world).filter(|rank| *rank != self.rank && !gone.contains(rank));
            let look: Result<Vec<(usize, bool)>> =
                others.map(|rank| Ok((rank, self.group.has(&key(rank))?))).collect();
            let Ok(look) = look else { return missing };
            missing = look.into_iter().filter(|(_, left)| !left).map(|(rank, _)| rank).collect();
            if missing.is_empty() || Instant::now() >= end {
                return missing;
            }
            sleep(PAUSE);
        }
    }
}
