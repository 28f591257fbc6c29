//! The build script of every package that is linked to libtorch; see `docs/decisions/0002`.

fn main() -> std::io::Result<()> {
    libtorch::link()
}
