//! The page in a real browser: that it loads without an error or a request, that what its script adds works, that it is whole
//! without the script, fits wide and narrow screens and paper, can be read light and dark, and that no name of a key does
//! anything.
//!
//! Without Debian's `chromium` the tests say that they did nothing and pass; with `RDBSCOPE_REQUIRE_CHROMIUM` set they fail.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// What is noted from the first moment on: errors, what the policy had to stop, and dialogs.
const NOTES: &str = "
    window.notes = [];
    addEventListener('error', (e) => notes.push(`error: ${e.message}`));
    addEventListener('unhandledrejection', (e) => notes.push(`rejection: ${e.reason}`));
    addEventListener('securitypolicyviolation', (e) => notes.push(`policy: ${e.violatedDirective} ${e.blockedURI}`));
    console.error = console.warn = (...all) => notes.push(`console: ${all.join(' ')}`);
    window.alert = window.confirm = window.prompt = (text) => { notes.push(`dialog: ${text}`); };
";

/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page in a browser of its own.
struct Shown {
    browser: Child,
    socket: RefCell<WebSocket<TcpStream>>,
    session: String,
    dir: TempDir,
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

fn skip(why: &str) {
    assert!(std::env::var_os("RDBSCOPE_REQUIRE_CHROMIUM").is_none(), "{why}");
    // Written past the test harness, which keeps what a passing test prints to itself.
    let _ = writeln!(io::stderr(), "skipped, nothing was looked at in a browser: {why}");
}

/// Shows a page; none without a browser.
fn show(page: &str) -> Option<Shown> {
    if let Err(error) = Command::new("chromium").arg("--version").output() {
        skip(&format!("chromium does not run: {error}"));
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "page.html", page.as_bytes());
    let profile = dir.path().join("profile");
    let mut browser = Command::new("chromium");
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    browser.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    browser.args(["--remote-debugging-port=0", "--window-size=1400,1000"]);
    browser.arg(format!("--user-data-dir={}", arg(&profile))).arg("about:blank");
    let browser = browser.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (port, path) = listening(&profile);
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream).unwrap();
    let mut shown = Shown { browser, socket: RefCell::new(socket), session: String::new(), dir };
    let target = shown.call("Target.createTarget", json!({ "url": "about:blank" }));
    let session = shown.call("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
    shown.session = session["sessionId"].as_str().unwrap().to_owned();
    shown.call("Page.enable", json!({}));
    shown.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": NOTES }));
    shown.call("Page.navigate", json!({ "url": format!("file://{}", arg(&file)) }));
    let start = Instant::now();
    while !shown.js::<bool>("return document.readyState === 'complete' && location.protocol === 'file:'") {
        assert!(start.elapsed() < PATIENCE, "the page does not load from {}", shown.dir.path().display());
        sleep(Duration::from_millis(20));
    }
    Some(shown)
}

/// Port and path that the browser says, in a file of its profile, that it listens on.
fn listening(profile: &Path) -> (u16, String) {
    let start = Instant::now();
    loop {
        let said = std::fs::read_to_string(profile.join("DevToolsActivePort")).unwrap_or_default();
        if let Some((port, path)) = said.split_once('\n')
            && !path.is_empty()
        {
            return (port.parse().unwrap(), path.trim().to_owned());
        }
        assert!(start.elapsed() < PATIENCE, "chromium does not listen");
        sleep(Duration::from_millis(20));
    }
}

impl Shown {
    /// Calls a method of the browser's protocol.
    #[track_caller]
    fn call(&self, method: &str, params: Value) -> Value {
        let mut request = json!({ "id": 1, "method": method, "params": params });
        if !self.session.is_empty() {
            request["sessionId"] = self.session.clone().into();
        }
        let mut socket = self.socket.borrow_mut();
        socket.send(Message::text(request.to_string())).unwrap();
        loop {
            let message = socket.read().unwrap();
            let Ok(text) = message.to_text() else { continue };
            let reply: Value = serde_json::from_str(text).unwrap_or_default();
            if reply["id"] == 1 {
                assert!(reply["error"].is_null(), "{method}: {reply}");
                return reply["result"].clone();
            }
        }
    }

    /// What a function with this body returns in the page.
    #[track_caller]
    fn js<T: DeserializeOwned>(&self, body: &str) -> T {
        let expression = format!("(async () => {{ {body} }})().then((value) => JSON.stringify(value ?? null))");
        let reply = self.call("Runtime.evaluate", json!({ "expression": expression, "awaitPromise": true }));
        let value = reply["result"]["value"].as_str();
        serde_json::from_str(value.unwrap_or_else(|| panic!("{reply}"))).unwrap()
    }

    fn press(&self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" { "\r" } else { "" };
            let params = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    fn media(&self, media: &str, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": media, "features": features }));
    }

    fn width(&self, width: u32) {
        let metrics = json!({ "width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Nothing was noted, and nothing asked for.
    #[track_caller]
    fn is_quiet(&self) {
        let notes: Vec<String> = self.js("return notes");
        assert!(notes.is_empty(), "{notes:?}");
        let requests: Vec<String> =
            self.js("return performance.getEntriesByType('resource').map((entry) => entry.name)");
        assert!(requests.is_empty(), "{requests:?}");
    }
}

fn page_of(dumps: &[&str], dir: &Path) -> String {
    let page = dir.join("report.html");
    run(&[&["report", "-o", arg(&page)], dumps].concat()).expect(0);
    std::fs::read_to_string(page).unwrap()
}

fn page_of_cluster() -> String {
    let dir = tempfile::tempdir().unwrap();
    page_of(&["cluster", "--nodes", "cluster/nodes.conf", "--nodes-target", "4", "--compare", "valkey-8.1"], dir.path())
}

fn page_of_hostile() -> String {
    let dir = tempfile::tempdir().unwrap();
    let dump = write(dir.path(), "hostile.rdb", &hostile());
    page_of(&[arg(&dump)], dir.path())
}

#[test]
fn every_table_sorts_by_every_column() {
    let Some(page) = show(&page_of_cluster()) else { return };
    let (tables, wrong): (u32, Vec<String>) = page.js(r#"
        const wrong = [];
        const tables = [...document.querySelectorAll('table')].filter((table) => table.querySelector('button.sort'));
        const rank = (cell, isNumber) => {
            const text = cell.dataset.v ?? cell.textContent.trim();
            return text === '' || text === '–' ? null : isNumber ? Number(text) : text.toLowerCase();
        };
        for (const table of tables) {
            const isGrouped = table.classList.contains('grouped');
            const rows = () => isGrouped
                ? [...table.tBodies].map((body) => body.rows[0]) : [...table.tBodies].flatMap((body) => [...body.rows]);
            const count = rows().length;
            let column = 0;
            for (const head of table.tHead.rows[0].cells) {
                const at = column;
                column += head.colSpan;
                const label = `${table.parentNode.ariaLabel}: ${head.textContent}`;
                const isNumber = head.classList.contains('n');
                for (const direction of isNumber ? ['descending', 'ascending'] : ['ascending', 'descending']) {
                    head.querySelector('button').click();
                    if (head.ariaSort !== direction) wrong.push(`${label}: ${head.ariaSort}`);
                    if (rows().length !== count) wrong.push(`${label}: ${rows().length} rows`);
                    if (table.querySelectorAll('[aria-sort]').length !== 1) wrong.push(`${label}: more than one`);
                    const ranks = rows().map((row) => rank(row.cells[at], isNumber));
                    const known = ranks.filter((value) => value !== null);
                    if (known.some((value) => Number.isNaN(value))) wrong.push(`${label}: no number`);
                    if (ranks.slice(0, known.length).includes(null)) wrong.push(`${label}: nothing is not last`);
                    const sign = direction === 'ascending' ? 1 : -1;
                    for (let i = 1; i < known.length; i++) {
                        if ((known[i - 1] > known[i] ? 1 : known[i - 1] < known[i] ? -1 : 0) * sign > 0) {
                            wrong.push(`${label}: ${known[i - 1]} before ${known[i]}`);
                            break;
                        }
                    }
                }
            }
        }
        return [tables.length, wrong];
        "#);
    assert!(tables > 15, "{tables} tables");
    assert!(wrong.is_empty(), "{wrong:#?}");
    // By the keyboard, and sizes by their bytes, not by their text.
    page.js::<()>("document.querySelector('#biggest th:nth-child(5) button').focus()");
    let first = "return document.querySelector('#biggest tbody td:nth-child(5)').textContent";
    page.press("Enter", 13);
    assert_eq!(page.js::<String>(first), "1.09 MiB");
    page.press("Enter", 13);
    let smallest: String = page.js(first);
    assert!(smallest.ends_with(" B"), "{smallest}");
    page.is_quiet();
}

#[test]
fn tables_filter_fold_and_copy() {
    let Some(page) = show(&page_of_cluster()) else { return };
    let list =
        "const list = document.querySelector('#biggest .list'); const input = list.querySelector('input[type=search]');
        const seen = () => [...list.querySelectorAll('tbody tr')].filter((row) => row.checkVisibility());
        const enter = (text) => { input.value = text; input.dispatchEvent(new Event('input')); };";
    let js = |body: &str| -> Vec<usize> { page.js(&format!("{list}{body}")) };
    assert_eq!(js("return [seen().length]"), [20]);
    let found: Vec<String> =
        page.js(&format!("{list} enter('STREAM dump-7003'); return [list.querySelector('output').textContent, ...seen().map((row) => row.textContent)]"));
    assert!(found.len() > 1 && found[0] == format!("{} of 100", found.len() - 1), "{found:?}");
    assert!(found[1..].iter().all(|row| row.contains("stream") && row.contains("dump-7003")), "{found:?}");
    assert_eq!(js("enter('no such key'); return [seen().length]"), [0]);
    assert_eq!(js("enter(''); return [seen().length]"), [20]);
    assert_eq!(js("list.querySelector('.fold input').click(); return [seen().length]"), [100]);
    let copied: String = page.js(&format!(
        "{list} let copied; navigator.clipboard.writeText = async (text) => {{ copied = text; }};
         list.querySelector('button.copy').click(); await new Promise((done) => setTimeout(done, 50)); return copied"
    ));
    let lines: Vec<Vec<&str>> = copied.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((lines.len(), lines[0][0], lines[1][0]), (101, "Key", "queue:analytics:2"));
    assert!(lines.iter().all(|cells| cells.len() == lines[0].len()) && lines[1].contains(&"1143353"), "{:?}", lines[1]);
    page.is_quiet();
}

#[test]
fn the_treemap_switches_with_and_without_the_script() {
    let whole = page_of_cluster();
    let (before, script) = whole.split_once("<script>").unwrap();
    let after = script.split_once("</script>").unwrap().1;
    for (page, has_script) in [(whole.clone(), true), (format!("{before}{after}"), false)] {
        let Some(page) = show(&page) else { return };
        let shown = "return [...document.querySelectorAll('.map')].filter((map) => map.checkVisibility()).map((map) => map.classList[1])";
        assert_eq!(page.js::<Vec<String>>(shown), ["by-memory"]);
        page.js::<()>("document.querySelector('label[for=by-elements]').click()");
        assert_eq!(page.js::<Vec<String>>(shown), ["by-elements"]);
        page.js::<()>("document.querySelector('#by-elements').focus()");
        page.press("ArrowRight", 39);
        assert_eq!(page.js::<Vec<String>>(shown), ["by-serialized"]);
        assert_eq!(page.js::<usize>("return document.querySelectorAll('button, .tools').length") > 0, has_script);
        // Links lead to what is folded away.
        let link = "document.querySelector('#findings a[href=\"#runbook-0\"]').click();
            await new Promise((done) => setTimeout(done, 100)); return document.querySelector('#runbook-0').checkVisibility()";
        assert!(page.js::<bool>(link));
        page.is_quiet();
    }
}

#[test]
fn hostile_names_do_nothing() {
    let Some(page) = show(&page_of_hostile()) else { return };
    let found: (usize, usize, String) = page.js(
        "document.querySelectorAll('button, summary, label').forEach((element) => element.click());
         return [document.scripts.length, document.querySelectorAll('img, iframe, b, object').length, document.body.textContent]",
    );
    assert_eq!((found.0, found.1), (1, 0));
    assert!(found.2.contains("<script>alert(1)"), "the name is shown");
    page.is_quiet();
    // The policy: what would be let in by a mistake of the page does not run either.
    let notes: Vec<String> = page.js(
        "const script = document.createElement('script'); script.textContent = 'window.ran = true';
         document.body.append(script); document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = true\">');
         await new Promise((done) => setTimeout(done, 200)); return [String(window.ran), ...notes]",
    );
    assert_eq!(notes[0], "undefined");
    assert!(notes.iter().any(|note| note.starts_with("policy: script-src")), "{notes:?}");
    assert!(notes.iter().any(|note| note.starts_with("policy: img-src")), "{notes:?}");
}

#[test]
fn fits_and_can_be_read_everywhere() {
    for html in [page_of_cluster(), page_of_hostile()] {
        let Some(page) = show(&html) else { return };
        page.js::<()>("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
        for (media, width, scheme) in [
            ("screen", 1400, "light"),
            ("screen", 1400, "dark"),
            ("screen", 500, "light"),
            ("screen", 500, "dark"),
            ("print", 1000, "light"),
        ] {
            page.media(media, scheme);
            page.width(width);
            let wide: Vec<String> = page.js(OVERFLOW);
            assert!(wide.is_empty(), "{media} {width}: {wide:#?}");
            let pale: Vec<String> = page.js(CONTRAST);
            assert!(pale.is_empty(), "{media} {width} {scheme}: {pale:#?}");
        }
        page.is_quiet();
    }
}

/// Elements that reach beyond the window, but for those that scroll by themselves.
const OVERFLOW: &str = "
    const edge = document.documentElement.clientWidth;
    const wide = document.documentElement.scrollWidth > edge ? [`page: ${document.documentElement.scrollWidth}`] : [];
    for (const element of document.querySelectorAll('main *')) {
        const { right, width } = element.getBoundingClientRect();
        if (width > 0 && right > edge + 1 && !element.closest('.scroll, pre, .map')) {
            wide.push(`${element.tagName} ${element.className}: ${right}`);
        }
    }
    return wide.slice(0, 10);
";

/// Texts with less contrast than WCAG AA wants: 4.5, or 3 if they are large.
const CONTRAST: &str = r"
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = rgba(getComputedStyle(at).backgroundColor);
            if (color[3] === 255) return color;
        }
        return [255, 255, 255, 255];
    };
    const pale = new Map();
    const seen = new Set();
    for (const element of document.querySelectorAll('body *')) {
        const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join('');
        if (text === '' || ['SCRIPT', 'STYLE', 'title'].includes(element.tagName) || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const isSvg = element.tagName === 'text';
        const grounds = isSvg ? [rgba(getComputedStyle(element.parentNode.querySelector('rect')).fill)] : [behind(element)];
        if (element.matches('td.bar')) grounds.push(rgba(getComputedStyle(document.documentElement).getPropertyValue('--bar')));
        const size = parseFloat(style.fontSize);
        const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
        for (const ground of grounds) {
            const found = ratio(rgba(isSvg ? style.fill : style.color), ground);
            seen.add(found.toFixed(1));
            if (found < wanted) pale.set(`${element.tagName} ${element.className.baseVal ?? element.className}`, `${found.toFixed(2)}: ${text.slice(0, 40)}`);
        }
    }
    if (seen.size < 5) pale.set('the check', `has seen ratios ${[...seen]}`);
    return [...pale].map((entry) => entry.join(' ')).slice(0, 20);
";
