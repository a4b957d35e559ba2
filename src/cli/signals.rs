//! What signals do.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use super::run::say;
use super::target::remove_unfinished;

/// From now on SIGINT and SIGTERM take unfinished files along and then end the program as they always do, and a limit on the
/// size of files is an error of writing.
///
/// SIGHUP is left alone, since `nohup` has it ignored.
///
/// # Errors
/// If the system refuses.
pub fn listen() -> io::Result<()> {
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let _unfinished = remove_unfinished();
            let name = low_level::signal_name(signal).unwrap_or("a signal");
            // Nobody may be reading what it says.
            let (said, is_said) = mpsc::channel();
            thread::spawn(move || {
                say(&format!("ended by {name}; files that were not whole are removed"));
                let _ = said.send(());
            });
            let _ = is_said.recv_timeout(Duration::from_millis(200));
            let _ = low_level::emulate_default_handler(signal);
        }
    })?;
    Ok(())
}
