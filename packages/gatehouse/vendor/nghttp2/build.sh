#!/bin/sh
# Builds nghttp2.wasm from nghttp2's own sources and glue.c. Debian 12: apt-get install clang lld wasi-libc
# Usage: build.sh FOLDER_OF_NGHTTP2_SOURCES
set -eu
SOURCES=${1:?the folder of the unpacked sources of nghttp2 1.70.0}
VERSION=1.70.0
cd "$(dirname "$0")"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir -p "$WORK/nghttp2"
sed -e "s/@PACKAGE_VERSION@/$VERSION/" -e 's/@PACKAGE_VERSION_NUM@/0x014600/' \
  "$SOURCES/lib/includes/nghttp2/nghttp2ver.h.in" > "$WORK/nghttp2/nghttp2ver.h"
clang --target=wasm32-wasi -mexec-model=reactor -O3 -flto -mbulk-memory -msign-ext -DNDEBUG \
  -DNGHTTP2_STATICLIB -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -DHAVE_TIME_H -DHAVE_CLOCK_GETTIME \
  -DHAVE_DECL_CLOCK_MONOTONIC=1 \
  -I "$WORK" -I "$SOURCES/lib/includes" -I "$SOURCES/lib" \
  glue.c "$SOURCES"/lib/*.c -o nghttp2.wasm \
  -Wl,--strip-all -Wl,-z,stack-size=262144 -Wl,--max-memory=2147418112
sha256sum nghttp2.wasm
