#!/bin/sh
# Builds nghttp2.wasm of glue.c and nghttp2's own sources: the same bytes in whatever folder.
# Usage: build.sh FOLDER_OF_THE_SOURCES [OUTPUT]
# Debian 12: apt-get install clang-14 lld-14 libclang-rt-14-dev-wasm32 wasi-libc
set -eu
umask 022
VERSION=1.70.0
SOURCES=${1:?the folder of the unpacked sources of nghttp2 $VERSION}
HERE=$(cd "$(dirname "$0")" && pwd)
OUTPUT=${2:-$HERE/nghttp2.wasm}
LINKER=$(command -v wasm-ld-14) || { echo 'wasm-ld-14 is not installed' >&2; exit 1; }
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# A copy of what is listed is checked and compiled: nothing else that lies in the folder has a say.
LISTED=$(sed 's/^[0-9a-f]*  //' "$HERE/SOURCES.sha256")
(cd "$SOURCES" && cp --parents $LISTED "$WORK")
cp "$HERE/glue.c" "$WORK"
(cd "$WORK" && sha256sum --check --strict --quiet "$HERE/SOURCES.sha256")

NUMBER=$(IFS=. && printf '0x%02x%02x%02x' $VERSION)
(cd "$WORK/lib/includes/nghttp2" &&
  sed -e "s/@PACKAGE_VERSION@/$VERSION/" -e "s/@PACKAGE_VERSION_NUM@/$NUMBER/" nghttp2ver.h.in > nghttp2ver.h)

# Paths are relative, so that no folder's name gets into the file; the order of the list is the linker's.
# NDEBUG is not set: as in the runtime's nghttp2, a state that cannot be ends in a trap.
# --stack-first: so does a stack that overflows, which would otherwise run into the data below it.
# --max-memory: the last page below 2 GiB, since addresses reach JavaScript as signed numbers.
(cd "$WORK" && clang-14 --target=wasm32-wasi -mexec-model=reactor -O3 -flto -mbulk-memory -msign-ext \
  -DNGHTTP2_STATICLIB -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -DHAVE_TIME_H -DHAVE_CLOCK_GETTIME \
  -DHAVE_DECL_CLOCK_MONOTONIC=1 -I lib/includes -I lib \
  glue.c $(printf '%s\n' "$LISTED" | grep '\.c$') -o nghttp2.wasm -fuse-ld="$LINKER" \
  -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=262144 -Wl,--max-memory=2147418112)

install -m 644 "$WORK/nghttp2.wasm" "$OUTPUT"
sha256sum "$OUTPUT"
