//! Setup as a whole, on small wheels of our own making.

mod disk;
mod fetch;
mod interrupted;
mod resolve;
mod scene;
mod verify;
