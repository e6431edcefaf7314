//! `/login` and `/logout`: how people say who they are. A form and nothing else: it works without scripts, and with the page
//! closed.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use tide::{Request, Response, StatusCode};

use crate::access::SESSION_TIME;
use crate::api::State;
use crate::api::entrance::{COOKIE_NAME, Denied};
use crate::api::error::Error;
use crate::api::parameters::Parameters;

/// What everybody may ask for.
pub(super) const PATHS: [&str; 3] = ["/login", "/login.css", "/logout"];

const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const STYLE: &str = "\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { display: grid; min-height: 90vh; place-items: center; margin: 0; }
form { display: grid; gap: 12px; width: min(320px, 90vw); }
h1 { font-size: 20px; margin: 0; }
label { display: grid; gap: 4px; }
input, button { font: inherit; padding: 8px; border: 1px solid GrayText; border-radius: 4px; }
button { background: #1a56b0; border-color: #1a56b0; color: #fff; cursor: pointer; }
p { margin: 0; }
";

/// Where nothing else is asked for.
const PAGE: &str = "ui/";

/// The longest name and password, in bytes: bcrypt looks at 72.
const TEXT_BYTES_MAX: usize = 1024;

/// Adds the routes.
pub(super) fn add_routes(app: &mut tide::Server<State>) {
    app.at("/login").get(form).post(log_in);
    app.at("/login.css").get(|_| async {
        let mut response = Response::from(STYLE);
        response.insert_header("content-type", "text/css; charset=utf-8");
        Ok(response)
    });
    app.at("/logout").post(log_out);
}

/// Sends a person from what they asked for to the form, and back afterwards.
pub(super) fn redirect(target: &hyper::Uri) -> Response {
    let path = target.path();
    // Relative, for proxies that serve this below a path of theirs.
    let up = "../".repeat(path.matches('/').count().saturating_sub(1));
    let asked = target.path_and_query().map_or(path, |asked| asked.as_str());
    let mut response = Response::new(StatusCode::SeeOther);
    response.insert_header("location", format!("{up}login?next={}", encoded(asked)));
    response
}

/// What follows `next=` in a query: everything but letters, digits and a few signs is written as its bytes.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(byte.into());
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string cannot fail");
        }
        out
    })
}

/// Where somebody is sent who has logged in: to the page, at the place they asked for. Nowhere else, and nothing that is more than
/// the value of one header.
fn place_of(next: &str) -> &str {
    let is_of_page = |next: &&str| next.starts_with(PAGE) && next.bytes().all(|byte| byte.is_ascii_graphic());
    next.strip_prefix('/').filter(is_of_page).unwrap_or(PAGE)
}

/// The form.
async fn form(request: Request<State>) -> tide::Result {
    let next = next_of(request.url().query().unwrap_or_default())?;
    Ok(page(&next, None, StatusCode::Ok))
}

fn next_of(query: &str) -> Result<String, Error> {
    let next = Parameters::parse(query)?.get("next", "a path", |text| Some(text.to_owned()))?;
    Ok(next.unwrap_or_default())
}

/// Begins a session.
async fn log_in(mut request: Request<State>) -> tide::Result {
    let body = request.body_string().await.map_err(|_| Error::bad_request("the form cannot be read"))?;
    let parameters = Parameters::parse(&body)?;
    let text = |name| parameters.get(name, "a text", |text| (text.len() <= TEXT_BYTES_MAX).then(|| text.to_owned()));
    let (name, password) = (text("name")?.unwrap_or_default(), text("password")?.unwrap_or_default());
    let next = text("next")?.unwrap_or_default();
    let State { entrance, agent: status, .. } = request.state();
    let peer = *request.ext::<IpAddr>().expect("the bridge says who asks");
    let caller = match Arc::clone(entrance).by_password(status, name, password, peer).await {
        Ok(caller) => caller,
        Err(Denied(refused)) => {
            let text = match refused.status() {
                StatusCode::TooManyRequests => "Too many wrong passwords from your address. Try again in a minute.",
                _ => "The name or the password is wrong.",
            };
            return Ok(page(&next, Some(text), refused.status()));
        }
    };
    let Some(shown) = entrance.access.log_in(&caller) else {
        return Ok(page(
            &next,
            Some("This is a program's token; people log in with a password."),
            StatusCode::Forbidden,
        ));
    };
    log::info!("{:?} has logged in from {peer}", caller.name);
    let mut response = Response::new(StatusCode::SeeOther);
    response.insert_header("location", place_of(&next));
    response.insert_header("set-cookie", cookie(&shown, SESSION_TIME.as_secs(), entrance.is_secure));
    Ok(response)
}

/// Ends a session.
async fn log_out(request: Request<State>) -> tide::Result {
    let State { entrance, .. } = request.state();
    let cookies = request.header("cookie").into_iter().flatten().flat_map(|value| value.as_str().split(';'));
    for shown in cookies.filter_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('=')) {
        entrance.access.log_out(shown);
    }
    let mut response = Response::new(StatusCode::SeeOther);
    response.insert_header("location", "login");
    response.insert_header("set-cookie", cookie("", 0, entrance.is_secure));
    Ok(response)
}

/// A cookie that scripts cannot read and that no other site has sent.
fn cookie(shown: &str, seconds: u64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={shown}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn page(next: &str, wrong: Option<&str>, status: StatusCode) -> Response {
    let wrong = wrong.map(|text| format!("<p role=\"alert\">{text}</p>")).unwrap_or_default();
    let next = escaped(next);
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Log in: monitoring-rs</title><link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"login.css\">\
         <form method=\"post\" action=\"login\"><h1>monitoring-rs</h1>{wrong}\
         <label>Name<input name=\"name\" autocomplete=\"username\" autofocus required></label>\
         <label>Password<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\
         <input name=\"next\" type=\"hidden\" value=\"{next}\"><button>Log in</button></form></html>"
    );
    let mut response = Response::new(status);
    response.set_body(html);
    response.insert_header("content-type", "text/html; charset=utf-8");
    response.insert_header("content-security-policy", POLICY);
    // With none, browsers would not say that the form is of this origin.
    response.insert_header("referrer-policy", "same-origin");
    response
}

/// A text within an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
