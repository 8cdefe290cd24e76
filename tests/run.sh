#!/usr/bin/env bash
# Installs what the tests need and runs all suites, C# and TypeScript. usage: tests/run.sh [--long]
# Every suite prints its seconds beside its share; past twice its share it fails. The last line sums all suites.
set -uo pipefail
cd "$(dirname "$0")/.."

long=
for argument in "$@"; do
  case $argument in
    --long) long=1 ;;
    *) echo "usage: tests/run.sh [--long]   (--long: the long searches too, without limits of time)" >&2; exit 2 ;;
  esac
done
[ -z "$long" ] || export BRIDGE_TESTS_LONG=1
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false

logs=$(mktemp -d "${TMPDIR:-/tmp}/bridge-tests.XXXXXX")
passed=0 failed=0 skipped=0 excused=0 started=$SECONDS
declare -a broken=()

# The shares of the short form, in seconds on 2 cores. What a bare machine must download hangs on its connection, so installing has a wide one.
share_of() {
  case $1 in
    install) echo 150 ;;
    build) echo 170 ;;
    format) echo 40 ;;
    summaries) echo 40 ;;
    web) echo 15 ;;
    node) echo 60 ;;
    Bridge.Tests) echo 200 ;;
    Bridge.FlowTests) echo 800 ;;
    *) echo 20 ;;
  esac
}

# suite NAME KIND COMMAND…: runs it, reads its results (KIND: trx, node, or exit = its exit code alone) and prints one line.
suite() {
  local name=$1 kind=$2 share seconds from=$SECONDS log code=0 p f s x counted
  shift 2
  share=$(share_of "$name") log=$logs/$name.log
  if [ -n "$long" ]; then
    "$@" >"$log" 2>&1 </dev/null || code=$?
  else
    timeout -k 20 $((share * 3)) "$@" >"$log" 2>&1 </dev/null || code=$?
  fi
  seconds=$((SECONDS - from))
  case $kind in
    exit) counted='0 0 0 0' ;;
    trx) counted=$(node tests/count.mjs trx "$logs/$name.trx") ;;
    node) counted=$(node tests/count.mjs node "$log") ;;
  esac
  read -r p f s x <<<"$(head -n 1 <<<"$counted")"
  # A runner that failed or ran nothing without saying which test it was has failed all the same.
  if [ "$f" -eq 0 ] && { [ $code -ne 0 ] || { [ "$kind" != exit ] && [ $((p + s)) -eq 0 ]; }; }; then f=1; fi
  local verdict=ok note=
  [ "$f" -eq 0 ] || verdict=FAILED
  if [ "${CI:-}" = true ] && [ $((s - x)) -gt 0 ]; then
    verdict=FAILED note="; $((s - x)) skipped, which fails in CI"
    f=$((f + s - x)) s=$x
  fi
  if [ -z "$long" ] && [ $seconds -gt $((share * 2)) ]; then
    verdict=FAILED note="$note; took more than twice its share"
    f=$((f + 1))
  fi
  printf '%-7s %-18s %4d s of %3d s' "$verdict" "$name" "$seconds" "$share"
  [ "$kind" = exit ] && echo "$note" || echo "   $p passed, $f failed, $s skipped$note"
  tail -n +2 <<<"$counted"
  if [ $verdict = FAILED ]; then
    broken+=("$name")
    [ "$(wc -l <<<"$counted")" -gt 1 ] || { echo "    exit code $code; the end of its log:"; tail -n 40 "$log" | sed 's/^/    /'; }
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s)) excused=$((excused + x))
}

finish() {
  echo
  [ $excused -eq 0 ] || echo "$excused of the skipped need a real Fabric: FABRIC_BIN does not name its binaries."
  [ ${#broken[@]} -eq 0 ] || echo "Failed: ${broken[*]} (logs: $logs)"
  echo "$((SECONDS - started)) s"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ $failed -eq 0 ] || exit 1
  rm -rf "$logs"
  exit 0
}

# Debian packages that the suites use, each by the program it brings.
install_debian_packages() {
  local missing=() pair
  # mariadbd lies in sbin.
  PATH=$PATH:/usr/sbin
  for pair in git:git fc-list:fontconfig softhsm2-util:softhsm2 mariadbd:mariadb-server chromium:chromium; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  # Chinese pages are drawn with a Chinese font.
  [ -n "$(fc-list :lang=zh 2>/dev/null)" ] || missing+=(fonts-noto-cjk)
  [ ${#missing[@]} -gt 0 ] || return 0
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    sudo="sudo -n"
    $sudo true 2>/dev/null || { echo "Missing: ${missing[*]}. Install them (apt-get install ${missing[*]}) and run this again." >&2; return 1; }
  fi
  echo "installing ${missing[*]}"
  $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# Every package of the project, installed when its lock file differs from what was installed last.
install_node_packages() {
  local manifest folder stamp
  while read -r manifest; do
    folder=$(dirname "$manifest")
    [ -f "$folder/package-lock.json" ] || continue
    stamp=$(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum | cut -d ' ' -f 1)
    if [ "$(cat "$folder/node_modules/.bridge-stamp" 2>/dev/null)" != "$stamp" ]; then
      echo "npm ci in $folder"
      (cd "$folder" && npm ci --no-progress) || return 1
      echo "$stamp" >"$folder/node_modules/.bridge-stamp"
    fi
    (cd "$folder" && npm run build --if-present) || return 1
  done < <(git ls-files '*package.json')
}

install_all() { install_debian_packages && install_node_packages && dotnet restore Bridge.sln -v q; }
# One compiler serves all projects, and ends with the build.
build() { dotnet build Bridge.sln --no-restore -v q -nodeReuse:false -p:UseSharedCompilation=true && dotnet build-server shutdown --vbcscompiler; }

has_test_script() { node -e 'process.exit(require(process.argv[1]).scripts?.test ? 0 : 1)' "$PWD/$1"; }
# `timeout` runs programs, not functions: those that a suite calls are handed to a shell of their own.
export -f install_all build install_debian_packages install_node_packages

suite install exit bash -c install_all
[ $failed -eq 0 ] || finish
suite build exit bash -c build
[ $failed -eq 0 ] || finish
# White space alone: the build holds the rules of style, a test the order of usings, and the whole formatter would compile everything a second time.
suite format exit dotnet format whitespace . --folder --verify-no-changes
while read -r manifest; do
  if has_test_script "$manifest"; then
    suite "$(basename "$(dirname "$manifest")")" node npm test --prefix "$(dirname "$manifest")"
  fi
done < <(git ls-files '*package.json')
for project in Bridge.Tests Bridge.FlowTests; do
  suite $project trx dotnet test tests/$project --no-build --results-directory "$logs" --logger "trx;LogFileName=$project.trx" --logger "console;verbosity=minimal"
done
finish
