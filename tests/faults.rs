//! What goes wrong around a run: disks, folders, pipes and signals. `docs/faults.md` lists every fault with its test.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::*;

fn many_keys() -> Vec<u8> {
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4");
    for n in 0..20_000 {
        dump = dump.string(format!("a-key-with-a-rather-long-name:{n}"), "v");
    }
    dump.end()
}

/// A run that waits for the rest of a dump, and has begun its outputs.
struct Midway {
    child: Child,
    rest: Vec<u8>,
}

impl Midway {
    /// `outputs` files are begun in `dir`.
    fn start(dir: &Path, args: &[&str], outputs: usize) -> Midway {
        let before = files_in(dir).len();
        let mut child = program()
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let dump = many_keys();
        let (first, rest) = dump.split_at(dump.len() / 2);
        child.stdin.as_mut().unwrap().write_all(first).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while files_in(dir).len() < before + outputs {
            assert!(Instant::now() < until, "no output is begun: {:?}", files_in(dir));
            sleep(Duration::from_millis(5));
        }
        Midway { child, rest: rest.to_vec() }
    }

    /// Hands over what is missing, and gives how it ends and what it says.
    fn finish(mut self) -> (ExitStatus, String) {
        let _ = self.child.stdin.take().unwrap().write_all(&self.rest);
        self.end()
    }

    fn end(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }
}

#[test]
fn signals_leave_no_partial_file() {
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        for (args, outputs) in [
            (&["report", "-o", "page.html", "--csv", "rows.csv", "--json", "sums.json", "-"][..], 3),
            (&["keys", "-o", "rows.csv", "-"], 1),
            (&["check", "--output", "junit=page.html", "sarif=rows.csv", "--", "-"], 2),
        ] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), "rows.csv", b"of yesterday");
            let run = Midway::start(dir.path(), args, outputs);
            let id = run.child.id().to_string();
            assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
            let (status, said) = run.end();
            assert_eq!((status.signal(), status.code()), (Some(number), None), "as signals end programs: {said}");
            assert_eq!(said, format!("rdbscope: ended by SIG{name}; files that were not whole are removed\n"));
            assert_eq!(files_in(dir.path()), ["rows.csv"], "{args:?}");
            assert_eq!(fs::read(dir.path().join("rows.csv")).unwrap(), b"of yesterday");
        }
    }
}

#[test]
fn a_run_that_nothing_disturbs_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    let (status, said) = Midway::start(dir.path(), &["keys", "-o", "rows.csv", "-"], 1).finish();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    assert_eq!(rows(&fs::read(dir.path().join("rows.csv")).unwrap()).len(), 20_000);
}

#[test]
fn a_folder_of_outputs_that_goes_away() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("out");
    fs::create_dir(&folder).unwrap();
    // The program's own folder stays where it is.
    let mut run = Midway::start(&folder, &["report", "-o", "page.html", "-"], 1);
    fs::remove_dir_all(&folder).unwrap();
    run.child.stdin.as_mut().unwrap().write_all(&std::mem::take(&mut run.rest)).unwrap();
    let (status, said) = run.finish();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("page.html: cannot be written: ") && said.contains("No such file"), "{said}");
    // And one that was never there is noticed before any work.
    write(dir.path(), "many.rdb", &many_keys());
    let said = run_in(dir.path(), &["report", "-o", "absent/page.html", "many.rdb"]).expect(2).stderr;
    assert!(said.contains("absent/page.html: cannot be written: "), "{said}");
}

fn run_in(dir: &Path, args: &[&str]) -> Done {
    finish(program().current_dir(dir).args(args))
}

#[test]
fn a_limit_on_files_and_a_full_disk_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "many.rdb", &many_keys());
    write(dir.path(), "rows.csv", b"of yesterday");
    // No file may be longer than 100 blocks of 512 bytes.
    for args in [&["keys", "-o", "rows.csv", "many.rdb"][..], &["report", "--csv", "rows.csv", "many.rdb"]] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -f 100; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_rdbscope")]).args(args);
        let said = finish(shell.current_dir(dir.path())).expect(2).stderr;
        assert!(said.contains("rows.csv: cannot be written: "), "{said}");
        assert_eq!(files_in(dir.path()), ["many.rdb", "rows.csv"]);
        assert_eq!(fs::read(dir.path().join("rows.csv")).unwrap(), b"of yesterday");
    }
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for args in [&["keys"][..], &[], &["--json"], &["check"], &["check", "--output", "json=-", "--"]] {
        let done = finish_with(program().args(args).arg(dir.path().join("many.rdb")).stdout(full()));
        assert_eq!(done.code, 2, "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains("standard output cannot be written: No space left"), "{}", done.stderr);
    }
    let done = run_in(dir.path(), &["report", "-o", "/dev/full", "many.rdb"]).expect(2);
    assert!(done.stderr.contains("/dev/full: cannot be written: No space left"), "{}", done.stderr);
}

/// What a command with a standard output of its own does.
fn finish_with(command: &mut Command) -> Done {
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn no_room_for_temporary_files() {
    let dir = tempfile::tempdir().unwrap();
    // More names than are held in memory.
    let mut dump = Rdb::new("REDIS0011").aux("redis-ver", "7.2.4");
    for n in 0..700_000 {
        dump = dump.string(format!("{n}"), "v");
    }
    write(dir.path(), "many.rdb", &dump.end());
    for args in [&["check", "many.rdb"][..], &["diff", "--keys", "-o", "rows.csv", "many.rdb", "many.rdb"]] {
        let done = finish(program().args(args).current_dir(dir.path()).env("TMPDIR", dir.path().join("absent")));
        let said = done.expect(2).stderr;
        assert!(said.contains("absent: cannot be written: "), "{said}");
        assert_eq!(files_in(dir.path()), ["many.rdb"]);
    }
}

#[test]
fn a_reader_that_leaves_early_changes_no_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let dump = many_keys();
    write(dir.path(), "sound.rdb", &dump);
    write(dir.path(), "cut.rdb", &dump[..dump.len() - 100]);
    write(dir.path(), "rdbscope.toml", b"[[big-key]]\nmemory = { error = \"10B\" }\n");
    for (args, code) in [
        (&["keys", "sound.rdb"][..], 0),
        (&["keys", "--format", "jsonl", "sound.rdb"], 0),
        (&["keys", "--top", "15000", "sound.rdb"], 0),
        (&["--json", "sound.rdb"], 0),
        (&["--json", "cut.rdb"], 4),
        (&["check", "--output", "json=-", "--", "sound.rdb"], 1),
        (&["check", "--output", "json=-", "--", "cut.rdb"], 4),
    ] {
        let mut child =
            program().args(args).current_dir(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap(); // and closes it
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(!said.contains("standard output"), "{said}");
    }
}

#[test]
fn what_may_not_be_read_is_said() {
    // To root nothing is forbidden: the program then runs as somebody else, from where he may run it.
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("rdbscope");
    fs::copy(env!("CARGO_BIN_EXE_rdbscope"), &program).unwrap();
    let is_root = fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let run = |args: &[&str]| {
        let mut command = Command::new(&program);
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        finish(command.args(args).current_dir(dir.path()).stdin(Stdio::null()))
    };
    write(dir.path(), "sound.rdb", &many_keys());
    let sound = run(&["--json", "sound.rdb"]).expect(0).json();
    assert_eq!(sound["totals"]["keys"], 20_000);
    fs::create_dir(dir.path().join("locked")).unwrap();
    write(&dir.path().join("locked"), "dump.rdb", &many_keys());
    write(dir.path(), "locked.rdb", &many_keys());
    for name in ["locked", "locked.rdb"] {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    for args in [&["locked"][..], &["check", "locked"], &["keys", "sound.rdb", "locked"], &["locked/dump.rdb"]] {
        let said = run(args).expect(3).stderr;
        assert!(said.contains(": cannot be read: Permission denied"), "{args:?}: {said}");
    }
    // A file that may not be read leaves the others as they are.
    let done = run(&["--json", "sound.rdb", "locked.rdb"]).expect(3);
    assert!(done.stderr.contains("locked.rdb: cannot be read: Permission denied"), "{}", done.stderr);
    assert_eq!((&done.json()["totals"]["keys"], &done.json()["complete"]), (&20_000.into(), &false.into()));
    fs::set_permissions(dir.path().join("locked"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// A pipe or a device that is named as an output is an output, and what is known of the dump is told all the same.
#[test]
fn an_output_that_breaks_hides_nothing_of_the_dump() {
    let dir = tempfile::tempdir().unwrap();
    let dump = many_keys();
    write(dir.path(), "sound.rdb", &dump);
    write(dir.path(), "cut.rdb", &dump[..dump.len() - 100]);
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (args, code) in [
        (&["check", "sound.rdb", "--output", "json=pipe"][..], 2),
        (&["check", "cut.rdb", "--output", "json=pipe"], 4),
        (&["keys", "sound.rdb", "-o", "pipe"], 2),
    ] {
        let child =
            program().args(args).current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        drop(fs::File::open(&pipe).unwrap()); // opens when the program does, and leaves
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains("pipe: cannot be written: Broken pipe"), "{args:?}: {said}");
    }
    // The other outputs are written.
    let args = ["check", "cut.rdb", "--output", "json=/dev/full", "prometheus=gauges.prom"];
    let done = run_in(dir.path(), &args).expect(4);
    assert!(done.stderr.contains("/dev/full: cannot be written") && done.text().starts_with("failed"), "{done:?}");
    let gauges = fs::read_to_string(dir.path().join("gauges.prom")).unwrap();
    assert!(gauges.contains("rdbscope_check_passed 0"), "{gauges}");
}

#[test]
fn an_output_is_never_an_input_nor_another_output() {
    let dir = tempfile::tempdir().unwrap();
    let dump = many_keys();
    write(dir.path(), "dump.rdb", &dump);
    std::os::unix::fs::symlink("dump.rdb", dir.path().join("link.rdb")).unwrap();
    for args in [
        &["check", "dump.rdb", "--output", "json=./dump.rdb"][..],
        &["check", "link.rdb", "--output", "json=dump.rdb"],
        &["check", ".", "--output", "sarif=same", "junit=same"],
        &["check", "dump.rdb", "--output", "json=-", "github"],
        &["report", "dump.rdb", "-o", "link.rdb"],
        &["report", "dump.rdb", "-o", "same", "--csv", "same"],
        &["keys", ".", "-o", "dump.rdb"],
        &["diff", "dump.rdb", "dump.rdb", "--keys", "-o", "dump.rdb"],
    ] {
        let said = run_in(dir.path(), args).expect(2).stderr;
        let why = ["is read, and cannot be written", "two outputs cannot be one file", "goes to standard output"];
        assert!(why.iter().any(|why| said.contains(why)), "{args:?}: {said}");
    }
    assert_eq!(fs::read(dir.path().join("dump.rdb")).unwrap(), dump);
    assert_eq!(files_in(dir.path()), ["dump.rdb", "link.rdb"]);
}

#[test]
fn a_backup_that_is_missing_is_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "sound.rdb", &many_keys());
    fs::create_dir(dir.path().join("empty")).unwrap();
    let args =
        ["check", "sound.rdb", "absent.rdb", "empty", "--fail-on", "never", "--output", "prometheus=gauges.prom"];
    let done = run_in(dir.path(), &args).expect(3);
    let text = done.text();
    assert!(text.starts_with("failed: 1 of 3 dumps are whole, 2 errors") && text.contains("sound: whole"), "{text}");
    assert!(text.contains("absent.rdb: cannot be read: No such file"), "{text}");
    assert!(text.contains("empty: cannot be read: is a directory without *.rdb files"), "{text}");
    let gauges = fs::read_to_string(dir.path().join("gauges.prom")).unwrap();
    assert!(gauges.contains("rdbscope_check_passed 0"), "{gauges}");
}

#[test]
fn a_signal_ends_a_program_that_nobody_listens_to() {
    let dir = tempfile::tempdir().unwrap();
    // Standard error is a pipe that is full.
    let script = "{ head -c 65536 /dev/zero >&2; exec \"$0\" keys -o rows.csv -; } 2>pipe 3<>pipe";
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap().success());
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec 3<>pipe; {script}"), env!("CARGO_BIN_EXE_rdbscope")])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(&many_keys()[..5000]).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while files_in(dir.path()).len() < 2 {
        assert!(Instant::now() < until, "no output is begun");
        sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(15), "{status:?}");
    assert_eq!(files_in(dir.path()), ["pipe"]);
}

/// The table names tests that there are.
#[test]
fn every_fault_has_its_test() {
    let root = fixtures().parent().unwrap().to_owned();
    let table = fs::read_to_string(root.join("docs/faults.md")).unwrap();
    let mut seen = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what ")) {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let mut named = tests.split('`').skip(1).step_by(2).peekable();
        assert!(named.peek().is_some(), "no test: {row}");
        for test in named {
            let (module, name) = test.split_once("::").unwrap_or_else(|| panic!("{test}: not file::test"));
            let file = fs::read_to_string(root.join(format!("tests/{module}.rs"))).unwrap_or_default();
            assert!(file.contains(&format!("#[test]\nfn {name}()")), "{test} is no test");
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}
