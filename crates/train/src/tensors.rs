//! Named tensors in safetensors files, which are written atomically and checked when they are read.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use files::Seal;
use record::RecordError;
use safetensors::tensor::{Dtype, SafeTensors, View, serialize};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor, no_grad};

use crate::error::TrainError;

/// The content of a file.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) tensors: BTreeMap<String, Tensor>,
    /// The text beside the tensors.
    pub(crate) note: Option<String>,
}

/// A tensor in the bytes of a file.
struct Bytes {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl View for Bytes {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

impl Bytes {
    fn of(tensor: &Tensor) -> Result<Bytes, TrainError> {
        let dtype = KINDS.iter().find(|(kind, _)| *kind == tensor.kind()).map(|(_, dtype)| *dtype);
        let Some(dtype) = dtype else {
            return Err(tch::TchError::Kind(format!("{:?} is not saved", tensor.kind())).into());
        };
        let tensor = tensor.f_detach()?.f_to(Device::Cpu)?.f_contiguous()?;
        let mut data = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
        if !data.is_empty() {
            tensor.f_copy_data_u8(&mut data, tensor.numel())?;
        }
        let shape = tensor.size().into_iter().map(|length| length as usize).collect();
        Ok(Bytes { dtype, shape, data })
    }
}

const KINDS: [(Kind, Dtype); 3] =
    [(Kind::Float, Dtype::F32), (Kind::Double, Dtype::F64), (Kind::Uint8, Dtype::U8)];

/// The seal of a file whose note has the key `sha256` among its first ones: JSON text in the JSON text of the header.
const SEAL: Seal = Seal::after("\\\"sha256\\\":\\\"");

/// The only key of our metadata, since safetensors would write several keys in the random order of a hash map.
const NOTE: &str = "ballast";

/// Writes `tensors` and a text beside them atomically; the same content gives the same bytes.
///
/// # Errors
/// [`TrainError::Record`], which leaves the old file intact.
fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    note: Option<String>,
) -> Result<(), TrainError> {
    let bytes = sealed(path, tensors, note)?;
    Ok(files::replace(path, |file| file.write_all(&bytes)).map_err(RecordError::writing(path))?)
}

/// As [`serialized`], with the seal of the note closed if it has one.
pub(crate) fn sealed(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    note: Option<String>,
) -> Result<Vec<u8>, TrainError> {
    let mut bytes = serialized(path, tensors, note)?;
    SEAL.close(&mut bytes);
    Ok(bytes)
}

/// The bytes of a safetensors file with `tensors` and a text beside them; the same content gives the same bytes. Errors
/// name `path`.
///
/// # Errors
/// If libtorch fails, or the tensors cannot be described.
pub fn serialized(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    note: Option<String>,
) -> Result<Vec<u8>, TrainError> {
    let mut views = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        views.push((name.as_str(), Bytes::of(tensor)?));
    }
    let metadata = note.map(|note| HashMap::from([(NOTE.to_owned(), note)]));
    let bytes = serialize(views, metadata).map_err(std::io::Error::other);
    Ok(bytes.map_err(RecordError::writing(path))?)
}

/// Maximum size of a file that is read into memory.
const MOST_BYTES: u64 = 64 << 30;

/// Reads a file, and refuses one that is incomplete, that is not as it was written, or that holds a number that is not
/// finite. `expected` is the SHA-256 of the file, if it is known.
///
/// # Errors
/// [`TrainError::Record`].
pub(crate) fn read(path: &Path, expected: Option<&str>) -> Result<Contents, TrainError> {
    let refused = |reason: String| refused(path, reason);
    let bytes = files::read(path, MOST_BYTES).map_err(RecordError::reading(path))?;
    let sum = || files::sha256_of(bytes.as_slice()).map_err(RecordError::reading(path));
    let differs = match expected {
        Some(expected) => sum()? != expected,
        None => SEAL.holds(&bytes) == Some(false),
    };
    if differs {
        return Err(refused("its SHA-256 is not that of the file that was written".to_owned()));
    }
    let torn = |error| refused(format!("is not a complete safetensors file ({error})"));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(torn)?;
    let file = SafeTensors::deserialize(&bytes).map_err(torn)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let Some((kind, _)) = KINDS.iter().find(|(_, dtype)| *dtype == view.dtype()) else {
            return Err(refused(format!("`{name}` has the unsupported type {:?}", view.dtype())));
        };
        let shape: Result<Vec<i64>, _> = view.shape().iter().map(|&n| i64::try_from(n)).collect();
        let Ok(shape) = shape else {
            return Err(refused(format!("`{name}` has the impossible shape {:?}", view.shape())));
        };
        // libtorch reads as many bytes as the shape says, and safetensors has compared them; we make sure.
        let numbers = shape.iter().try_fold(1_i64, |product, n| product.checked_mul(*n));
        let bytes = numbers.map(|numbers| numbers as usize * kind.elt_size_in_bytes());
        if bytes != Some(view.data().len()) {
            return Err(refused(format!("`{name}` has the impossible shape {shape:?}")));
        }
        let tensor = Tensor::f_from_data_size(view.data(), &shape, *kind)?;
        if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Err(refused(format!("`{name}` holds a number that is not finite")));
        }
        tensors.insert(name, tensor);
    }
    let note = header.metadata().as_ref().and_then(|metadata| metadata.get(NOTE)).cloned();
    Ok(Contents { tensors, note })
}

/// Writes the variables of `store` to a file.
///
/// # Errors
/// As [`write`].
pub(crate) fn save_store(path: &Path, store: &VarStore) -> Result<(), TrainError> {
    write(path, &store.variables().into_iter().collect(), None)
}

/// Reads a file into the variables of `store`, which must have exactly the names and shapes of the file.
///
/// # Errors
/// As [`read`], and if the tensors are not those of the store.
pub(crate) fn load_store(
    path: &Path,
    expected: Option<&str>,
    store: &VarStore,
) -> Result<(), TrainError> {
    let mut found = read(path, expected)?.tensors;
    let variables: BTreeMap<String, Tensor> = store.variables().into_iter().collect();
    for (name, mut variable) in variables {
        let tensor = found
            .remove(&name)
            .ok_or_else(|| refused(path, format!("has no `{name}`, which the config asks for")))?;
        if tensor.size() != variable.size() || tensor.kind() != variable.kind() {
            let (is, should) = (tensor.size(), variable.size());
            return Err(refused(
                path,
                format!("`{name}` is {is:?}, but the config asks for {should:?}"),
            ));
        }
        no_grad(|| variable.f_copy_(&tensor))?;
    }
    match found.keys().next() {
        None => Ok(()),
        Some(name) => {
            Err(refused(path, format!("holds `{name}`, which the config does not ask for")))
        }
    }
}

/// The error for a file that must not be used.
pub(crate) fn refused(path: &Path, reason: String) -> TrainError {
    RecordError::Refused {
        path: path.to_owned(),
        reason,
        hint: "the file was altered or damaged; restore a copy of it, or train again in another directory".to_owned(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, tensor: Tensor) -> BTreeMap<String, Tensor> {
        BTreeMap::from([(name.to_owned(), tensor)])
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let mut tensors = one("a", Tensor::from_slice(&[1.5_f32, -2.0, 3.25]).view([3, 1]));
        tensors.insert("b".to_owned(), Tensor::from_slice(&[7_u8, 255]));
        tensors.insert("c".to_owned(), Tensor::from_slice(&[0.1_f64]));
        tensors.insert("none".to_owned(), Tensor::zeros([0, 2], (Kind::Float, Device::Cpu)));
        write(&path, &tensors, Some("{}".to_owned())).unwrap();
        let found = read(&path, None).unwrap();
        assert_eq!(found.note.as_deref(), Some("{}"));
        assert_eq!(found.tensors.len(), 4);
        for (name, tensor) in tensors {
            assert_eq!(found.tensors[&name], tensor, "{name}");
            assert_eq!(found.tensors[&name].kind(), tensor.kind());
        }
    }

    /// Files cut off after any byte, and numbers that are not finite.
    #[test]
    fn torn_and_poisoned_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        write(&path, &one("a", Tensor::from_slice(&[1.0_f32, 2.0])), None).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = read(&path, None).unwrap_err();
            assert_eq!(error.exit_code(), 65, "{length} bytes: {error}");
        }
        for value in [f32::NAN, f32::INFINITY] {
            write(&path, &one("a", Tensor::from_slice(&[1.0, value])), None).unwrap();
            let error = read(&path, None).unwrap_err();
            assert!(error.to_string().contains("`a` holds a number that is not finite"), "{error}");
        }
    }

    /// In particular, a single number must not be broadcast to a vector.
    #[test]
    fn other_names_and_shapes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let store = VarStore::new(Device::Cpu);
        let weight = store.root().ones("w", &[2]);
        let two = || Tensor::from_slice(&[3.0_f32, 4.0]);
        let mut more = one("w", two());
        more.insert("v".to_owned(), two());
        for (tensors, expected) in [
            (one("w", Tensor::from_slice(&[3.0_f32])), "`w` is [1], but the config asks for [2]"),
            (one("w", two().view([1, 2])), "`w` is [1, 2]"),
            (one("w", two().to_kind(Kind::Double)), "`w` is [2]"),
            (one("v", two()), "has no `w`"),
            (more, "holds `v`"),
        ] {
            write(&path, &tensors, None).unwrap();
            let error = load_store(&path, None, &store).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        write(&path, &one("w", two()), None).unwrap();
        load_store(&path, None, &store).unwrap();
        assert_eq!(Vec::<f32>::try_from(weight.detach()).unwrap(), [3.0, 4.0]);
        save_store(&path, &store).unwrap();
        assert_eq!(read(&path, None).unwrap().tensors["w"], two());
    }
}
