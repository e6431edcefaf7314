//! The templates of each kind, those met most often first. `<name>` is a field of [`super::fields`].

use super::Kind;

/// The templates of a kind.
pub(crate) fn templates(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Nginx => NGINX,
        Kind::Json => JSON,
        Kind::Logfmt => LOGFMT,
        Kind::Klog => KLOG,
        Kind::Syslog => SYSLOG,
        Kind::Java => JAVA,
        Kind::Postgres => POSTGRES,
        Kind::Plain => PLAIN,
    }
}

/// The template of a kind's rare record: a line longer than container runtimes write in one part.
pub(crate) fn rare_template(kind: Kind) -> Option<&'static str> {
    (kind == Kind::Json).then_some(
        r#"{"time":"<rfc3339us>","level":"debug","service":"payment","msg":"payload","request_id":"<request>","body":"<payload>"}"#,
    )
}

const NGINX: &[&str] = &[
    r#"<client> - - [<clf>] "<method> <path> HTTP/1.1" <status> <bytes> "-" "<agent>""#,
    r#"<client> - <user> [<clf>] "GET <path>?session=<request> HTTP/2.0" 200 <bytes> "https://shop.example.com/" "<agent>""#,
    r#"<node> - - [<clf>] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.35""#,
    r#"<client> - - [<clf>] "GET /favicon.ico HTTP/1.1" 404 153 "-" "<agent>""#,
];

const JSON: &[&str] = &[
    r#"{"time":"<rfc3339us>","level":"info","service":"<service>","msg":"request done","request_id":"<request>","status":<status>,"duration_ms":<ms>}"#,
    r#"{"time":"<rfc3339us>","level":"debug","service":"<service>","msg":"cache hit","key":"item:<item>","age_ms":<ms>}"#,
    r#"{"time":"<rfc3339us>","level":"info","service":"<service>","msg":"user signed in","user":"<user>","ip":"<client>"}"#,
    r#"{"time":"<rfc3339us>","level":"info","service":"<service>","msg":"order placed","order":"<uuid>","user":"<user>","items":<count>}"#,
    r#"{"time":"<rfc3339us>","level":"warn","service":"<service>","msg":"slow query","table":"<table>","duration_ms":<ms>}"#,
    r#"{"time":"<rfc3339us>","level":"error","service":"payment","msg":"card declined: \"<sentence>\"","order":"<uuid>","retry":<count>}"#,
    r#"{"time":"<rfc3339us>","level":"info","service":"<service>","msg":"<sentence>","request_id":"<request>"}"#,
];

const LOGFMT: &[&str] = &[
    r"ts=<rfc3339ms> level=info caller=http.go:<count> method=<method> path=<path> status=<status> duration=<ms>ms bytes=<bytes>",
    r"ts=<rfc3339ms> level=info caller=scrape.go:214 component=scraper target=http://<node>:9100/metrics duration=<ms>ms",
    r"ts=<rfc3339ms> level=debug caller=cache.go:88 component=cache op=get key=session/<uuid> hit=true",
    r"ts=<rfc3339ms> level=warn caller=pool.go:131 component=pool service=<service> idle=<count> open=<count> waiting=<count>",
    r#"ts=<rfc3339ms> level=info caller=compact.go:519 component=tsdb msg="write block" mint=<sequence> maxt=<item> ulid=<request>"#,
    r#"ts=<rfc3339ms> level=error caller=client.go:77 user=<user> err="dial tcp <node>:<port>: connect: connection refused""#,
    r#"ts=<rfc3339ms> level=info caller=main.go:42 msg="<sentence>" request=<request>"#,
];

const KLOG: &[&str] = &[
    r#"I<klog>       1 httplog.go:132] "HTTP" verb="<method>" URI="/api/v1/namespaces/shop/pods/<pod>" latency="<ms>ms" userAgent="kubelet/v1.35.1" resp=<status>"#,
    r#"I<klog>    <pid> kubelet.go:2461] "SyncLoop (PLEG): event for pod" pod="shop/<pod>" event="ContainerStarted" id="<request>""#,
    r#"I<klog>       1 reconciler.go:224] "operationExecutor.MountVolume started for volume" volume="config-<count>" pod="shop/<pod>""#,
    r"W<klog>       1 reflector.go:561] k8s.io/client-go/informers/factory.go:160: watch of *v1.Pod ended with: too old resource version: <sequence>",
    r#"I<klog>       1 scheduler.go:360] "Successfully bound pod to node" pod="shop/<pod>" node="<host>" evaluatedNodes=<count>"#,
    r#"E<klog>       1 controller.go:146] "Unhandled Error" err="sync of <service> failed: Get https://<node>:6443/healthz: context deadline exceeded""#,
];

const SYSLOG: &[&str] = &[
    r"<syslog> <host> systemd[1]: Started Session <sequence> of User <user>.",
    r"<syslog> <host> sshd[<pid>]: Accepted publickey for <user> from <client> port <port> ssh2: ED25519 SHA256:<request><request>",
    r"<syslog> <host> kernel: [<unix>] IPv4: martian source <client> from <node>, on dev eth0",
    r"<syslog> <host> CRON[<pid>]: (root) CMD (test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.hourly ))",
    r"<syslog> <host> containerd[<pid>]: msg=<service> RemoveContainer for <request> returns successfully after <ms>ms",
    r"<syslog> <host> sshd[<pid>]: Failed password for invalid user <user> from <client> port <port> ssh2",
    r"<syslog> <host> dhclient[<pid>]: DHCPACK of <node> from 10.42.0.1 (xid=<address>), renewal in <item> seconds",
];

const JAVA: &[&str] = &[
    r"<time,ms>  INFO [http-nio-8080-exec-<count>] c.e.s.orders.<class> : Processed order <uuid> for <user> in <ms> ms",
    r"<time,ms> DEBUG [http-nio-8080-exec-<count>] o.s.w.s.DispatcherServlet : <method> <path>, parameters={masked}",
    r"<time,ms>  INFO [scheduling-<count>] c.e.s.jobs.<class> : <sentence>",
    r"<time,ms>  INFO [kafka-consumer-<count>] o.a.k.c.c.i.ConsumerCoordinator : committed offset <sequence> for <table>-<count>",
    r"<time,ms>  WARN [http-nio-8080-exec-<count>] c.zaxxer.hikari.pool.HikariPool : pool - thread starvation, delta=<ms>ms",
    r"<time,ms>  INFO [http-nio-8080-exec-<count>] c.e.s.web.<class> : <client> <method> <path> <status> <bytes>",
    r"<time,ms> DEBUG [lettuce-epoll-<count>] i.l.core.protocol.CommandHandler : [<node>:<port>] completed in <ms> ms",
    r"<time,ms> ERROR [http-nio-8080-exec-<count>] c.e.s.orders.<class> : Request <request> failed
java.lang.IllegalStateException: order <item> is not open<frames>",
];

const POSTGRES: &[&str] = &[
    r"<time> UTC [<pid>] <user>@shop LOG:  duration: <ms> ms  execute <service>: SELECT id, state, total FROM <table> WHERE id = $1",
    r"<time> UTC [<pid>] app@shop LOG:  connection received: host=<node> port=<port>",
    r"<time> UTC [<pid>] app@shop LOG:  connection authorized: user=app database=shop application_name=<service>",
    r"<time> UTC [<pid>] LOG:  checkpoint complete: wrote <bytes> buffers (<count>.1%); write=<ms> s, sync=0.012 s, total=<ms> s; distance=<item> kB",
    r#"<time> UTC [<pid>] app@shop ERROR:  duplicate key value violates unique constraint "<table>_pkey"
<time> UTC [<pid>] app@shop DETAIL:  Key (id)=(<item>) already exists."#,
    r#"<time> UTC [<pid>] LOG:  automatic vacuum of table "shop.public.<table>": index scans: <count>, pages: <count> removed, <bytes> remain"#,
    r"<time> UTC [<pid>] <user>@shop LOG:  statement: UPDATE <table>
	   SET state = 'paid', updated_at = now()
	 WHERE id = <item> AND owner = '<uuid>'",
];

const PLAIN: &[&str] = &[
    r"<sentence> <sentence> <sentence>",
    r"<sentence>: <sentence> <item> <sentence>",
    r"[<sequence>] <service>: <sentence> (<count> of <item>), <sentence>",
    r"<user> said: <sentence>, <sentence>.",
    r"  * <sentence> at <address>, next try in <ms> ms, <sentence>",
    r"----------------------------------------------------------------------------------------",
];
