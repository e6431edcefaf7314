# The image: one static binary and nothing else.
#
# The base images are arguments: any image with this Rust and a C compiler builds, musl or glibc, and the final image can
# be one with a shell for whoever wants to look around:
#   docker build --build-arg BUILD_IMAGE=rust:1.95-bookworm --build-arg FINAL_IMAGE=busybox .
ARG BUILD_IMAGE=rust:1.95-alpine
ARG FINAL_IMAGE=scratch

# --- The dependencies, in a layer of their own: they change seldom and take the longest to build. ---
FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /source
# A static binary from glibc as well as from musl. With --target the flag concerns the binary alone, not the build
# scripts and macros that run on the way.
ENV RUSTFLAGS="-C target-feature=+crt-static"
# Function names are an eighth of the binary; a panic says its file and line without them.
ENV CARGO_PROFILE_RELEASE_STRIP=symbols
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --locked --release --bins --target "$(rustc -vV | sed -n 's/^host: //p')"

# --- The sources, for the tests and lints of docker-compose.yaml. ---
FROM ${BUILD_IMAGE} AS source
WORKDIR /source
COPY . .

# --- The binary. ---
FROM dependencies AS build
# What `--version` says; the history is not in the context.
ARG COMMIT
COPY . .
# Cargo goes by the time of change, and that of the copied files is older than the empty ones' build.
RUN touch src/main.rs src/lib.rs \
    && target="$(rustc -vV | sed -n 's/^host: //p')" \
    && cargo build --locked --release --bins --target "$target" \
    && cp "target/$target/release/monitoring-rs" /monitoring-rs

# --- The image. ---
FROM ${FINAL_IMAGE}
COPY --from=build /monitoring-rs /monitoring-rs
# What is mounted is found: pods, Docker's containers, or /var/log.
# Whoever starts it says who reaches the port, and with AUTH_TOKEN_FILE or AUTH_USER_FILE who may ask.
ENV DATA_DIRECTORY=/data \
    LISTEN=0.0.0.0:8000 \
    ALLOW_ANONYMOUS=true
VOLUME /data
EXPOSE 8000
# The agent answers whether it stores lines; another LISTEN needs another MONITORING_ADDR.
HEALTHCHECK --start-period=30s CMD ["/monitoring-rs", "healthcheck"]
ENTRYPOINT ["/monitoring-rs"]
