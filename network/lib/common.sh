# shellcheck shell=bash
# Settings, names, ports, the operator's binaries, processes. Sourced by the commands in network/; it runs nothing by itself.

set -euo pipefail
shopt -s inherit_errexit 2>/dev/null || true

NETWORK=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PROJECT=$(dirname "$NETWORK")
COMMAND=$(basename "$0")
STATE=${BRIDGE_NETWORK_STATE:-$NETWORK/.data}
CHANNEL=bridge
CHAINCODE=summaries
PORTAL=PortalMSP
ORDERING=OrderingMSP

say() { printf "%s\n" "$@"; }
step() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }
fail() {
  printf '%s: %s\n' "$COMMAND" "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}
trap 'code=$?; printf "%s: stopped at %s line %s (exit %s)\n" "$COMMAND" "$(basename "${BASH_SOURCE[0]}")" "$LINENO" "$code" >&2; exit $code' ERR

# --- settings ---------------------------------------------------------------------------------------------------------

# Reads what `up` wrote: PROFILE, ORDERERS, PORT_BASE, NODES, PEER_ORGS, FABRIC_BIN_USED.
load_settings() {
  [ -f "$STATE/settings" ] || fail "there is no network in $STATE" \
    "make one with:  network/up --state '$STATE'" "or name another with --state DIR or BRIDGE_NETWORK_STATE"
  # shellcheck disable=SC1091
  . "$STATE/settings"
}

save_settings() {
  cat >"$STATE/settings.new" <<END
# Written by network/$COMMAND. NODES: own (these commands run them) or external (a container engine does). PEER_ORGS: in the order of joining.
PROFILE=$PROFILE
ORDERERS=$ORDERERS
PORT_BASE=$PORT_BASE
NODES=$NODES
PEER_ORGS="$PEER_ORGS"
FABRIC_BIN_USED='$FABRIC_BIN_USED'
END
  mv "$STATE/settings.new" "$STATE/settings"
}

absolute_state() {
  case $STATE in /*) ;; *) STATE=$PWD/$STATE ;; esac
  case $STATE in *[[:space:]\'\"]*) fail "the state directory must not hold blanks or quotes: $STATE" ;; esac
  # A Unix socket is not used, but Fabric's own package cache makes long paths below this.
  [ ${#STATE} -le 160 ] || fail "the state directory's path is too long (${#STATE} > 160): $STATE"
}

hospitals() { local org; for org in $PEER_ORGS; do [ "$org" = "$PORTAL" ] || printf '%s ' "$org"; done; }

# --- names ------------------------------------------------------------------------------------------------------------

check_msp_id() {
  [[ $1 =~ ^[A-Za-z][A-Za-z0-9]*MSP$ ]] && [ ${#1} -le 40 ] ||
    fail "'$1' cannot be a hospital's MSP id" "use letters and digits ending in MSP, at most 40, such as HospitalCMSP"
}
short() { local s=${1%MSP}; printf '%s' "$s" | tr '[:upper:]' '[:lower:]'; }
domain() { printf '%s.example' "$(short "$1")"; }
peer_host() { printf 'peer0.%s' "$(domain "$1")"; }
contract_host() { printf 'contract.%s' "$(domain "$1")"; }
orderer_host() { printf 'orderer%s.%s' "$1" "$(domain $ORDERING)"; }
org_dir() { printf '%s/crypto/peerOrganizations/%s' "$STATE" "$(domain "$1")"; }
ordering_dir() { printf '%s/crypto/ordererOrganizations/%s' "$STATE" "$(domain $ORDERING)"; }
peer_dir() { printf '%s/nodes/%s' "$STATE" "$(peer_host "$1")"; }
orderer_dir() { printf '%s/nodes/%s' "$STATE" "$(orderer_host "$1")"; }
orderer_crypto() { printf '%s/orderers/%s' "$(ordering_dir)" "$(orderer_host "$1")"; }
# Where to look when one of them fails: a container's output is with the engine.
peer_log() { if external; then printf 'docker compose logs peer-%s' "$(short "$1")"; else printf '%s/node.log' "$(peer_dir "$1")"; fi; }
orderer_log() { if external; then printf 'docker compose logs orderer%s' "$1"; else printf '%s/node.log' "$(orderer_dir "$1")"; fi; }
contract_log() { if external; then printf 'docker compose logs contract-%s' "$(short "$1")"; else printf '%s/contract/%s/contract.log' "$STATE" "$1"; fi; }
each_orderer() { local i; for ((i = 0; i < ORDERERS; i++)); do printf '%s ' "$i"; done; }

# --- ports: one file, a line each, NAME=PORT; what stands there already wins -------------------------------------------

port() {
  local value
  value=$(sed -n "s/^$1=//p" "$STATE/ports" 2>/dev/null | tail -1)
  [ -n "$value" ] || fail "no port for $1 in $STATE/ports"
  printf '%s' "$value"
}
want_port() { grep -q "^$1=" "$STATE/ports" 2>/dev/null || printf '%s=%s\n' "$1" "$2" >>"$STATE/ports"; }
allot_ports() {
  local n=0 org i
  for org in $PEER_ORGS; do
    want_port "$org.peer" $((PORT_BASE + 1 + 1000 * n))
    want_port "$org.launched" $((PORT_BASE + 2 + 1000 * n))
    want_port "$org.contract" $((PORT_BASE + 4 + 1000 * n))
    want_port "$org.operations" $((PORT_BASE + 5 + 1000 * n))
    want_port "$org.successor" $((PORT_BASE + 7 + 1000 * n))
    n=$((n + 1))
  done
  for i in $(each_orderer); do
    want_port "orderer$i.general" $((PORT_BASE + 10 * i))
    want_port "orderer$i.admin" $((PORT_BASE + 10 * i + 3))
    want_port "orderer$i.operations" $((PORT_BASE + 10 * i + 6))
  done
  local bad
  bad=$(grep -vE '^[A-Za-z0-9]+\.[a-z]+=[0-9]{2,5}$' "$STATE/ports" || true)
  [ -z "$bad" ] || fail "$STATE/ports has lines that are not NAME=PORT:" "$bad"
  bad=$(cut -d= -f2 "$STATE/ports" | awk '$1 > 65535')
  [ -z "$bad" ] || fail "ports above 65535 in $STATE/ports: $(echo $bad)" "choose a lower --port-base"
  bad=$(cut -d= -f2 "$STATE/ports" | sort | uniq -d)
  [ -z "$bad" ] || fail "the same port twice in $STATE/ports: $(echo $bad)"
}
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# --- the operator's binaries ------------------------------------------------------------------------------------------

readable() { [ -f "$1" ] && [ -r "$1" ] || fail "cannot read the file $1"; }
json_file() {
  local reason
  readable "$1"
  reason=$(node -e 'JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))' "$1" 2>&1) || fail "$1 is not JSON" "$(grep -m 1 SyntaxError <<<"$reason")"
}
need() { command -v "$1" >/dev/null 2>&1 || fail "'$1' is needed and not on PATH" "$2"; }

find_binaries() {
  need node "install Node.js 20 or later"
  need curl "install curl"
  need openssl "install openssl"
  local name dir=${FABRIC_BIN:-${FABRIC_BIN_USED:-}}
  if [ -z "$dir" ]; then
    command -v peer >/dev/null 2>&1 || fail "no Fabric binaries found" \
      "set FABRIC_BIN to the directory that holds peer, orderer, configtxgen, cryptogen, osnadmin and configtxlator," \
      "or put that directory on PATH. They come with every Hyperledger Fabric release (2.5 or 3.1)."
    dir=$(dirname "$(command -v peer)")
  fi
  [ -d "$dir" ] || fail "FABRIC_BIN is not a directory: $dir"
  dir=$(cd "$dir" && pwd)
  for name in peer orderer configtxgen cryptogen osnadmin configtxlator; do
    [ -x "$dir/$name" ] || fail "'$name' is missing from $dir" "FABRIC_BIN must hold all of: peer orderer configtxgen cryptogen osnadmin configtxlator"
  done
  FABRIC_BIN_USED=$dir
  FABRIC_VERSION=$("$dir/peer" version | sed -n 's/^ *Version: *v*//p' | head -1)
  case $FABRIC_VERSION in
    2.5.* | 3.*) ;;
    *) fail "the peer in $dir is version '$FABRIC_VERSION'; this network needs 2.5 or 3.x" ;;
  esac
  export PATH=$dir:$PATH
}
external() { [ "$NODES" = external ]; }
compose_profile() { case $ORDERERS in 1) ;; 3) printf ' --profile three' ;; 4) printf ' --profile three --profile four' ;; esac; }
is_v3() { case $FABRIC_VERSION in 3.*) return 0 ;; *) return 1 ;; esac; }

# The release archive keeps it beside bin/; the container image under /opt/hyperledger.
find_ccaas_builder() {
  local dir
  if [ "$NODES" = external ]; then
    printf /opt/hyperledger/ccaas_builder
    return
  fi
  for dir in "${FABRIC_CCAAS_BUILDER:-}" "$FABRIC_BIN_USED/../builders/ccaas" "$FABRIC_BIN_USED/builders/ccaas" /opt/hyperledger/ccaas_builder; do
    if [ -n "$dir" ] && [ -x "$dir/bin/detect" ] && [ -x "$dir/bin/build" ] && [ -x "$dir/bin/release" ]; then
      (cd "$dir" && pwd)
      return
    fi
  done
  fail "the builder for chaincode as a service was not found near $FABRIC_BIN_USED" \
    "it is the directory builders/ccaas of the Fabric release (bin/detect, bin/build, bin/release):" "set FABRIC_CCAAS_BUILDER to it"
}

# --- processes --------------------------------------------------------------------------------------------------------

# The start time stands beside the pid, so that a number used again by another program is never signalled.
started_at() { ps -p "$1" -o lstart= 2>/dev/null | tr -s ' '; }
is_running() {
  local pid since
  [ -f "$1" ] || return 1
  pid=$(sed -n 1p "$1") since=$(sed -n 2p "$1")
  [ -n "$pid" ] && [ "$(started_at "$pid")" = "$since" ] && [ -n "$since" ]
}
# start NAME PIDFILE LOG COMMAND…
start() {
  local name=$1 pidfile=$2 log=$3
  shift 3
  printf '\n--- %s started %s\n' "$name" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$log"
  if command -v setsid >/dev/null 2>&1; then
    setsid nohup "$@" </dev/null >>"$log" 2>&1 &
  else
    nohup "$@" </dev/null >>"$log" 2>&1 &
  fi
  local pid=$!
  { printf '%s\n' "$pid"; started_at "$pid"; } >"$pidfile"
}
stop() {
  local name=$1 pidfile=$2 pid n=0
  if ! is_running "$pidfile"; then
    rm -f "$pidfile"
    return
  fi
  pid=$(sed -n 1p "$pidfile")
  kill "$pid" 2>/dev/null || true
  while is_running "$pidfile"; do
    n=$((n + 1))
    if [ $n -eq 150 ]; then
      say "$name (pid $pid) did not stop within 15 s: killed"
      kill -9 "$pid" 2>/dev/null || true
    fi
    [ $n -lt 200 ] || fail "$name (pid $pid) cannot be stopped"
    sleep 0.1
  done
  rm -f "$pidfile"
  step "stopped $name"
}

# wait_for SECONDS WHAT HINT COMMAND…: polls until the command succeeds.
wait_for() {
  local limit=$1 what=$2 hint=$3 until
  shift 3
  until=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || fail "$what did not happen within $limit s" "$hint"
    sleep 0.3
  done
}

healthy() { # healthy PORT CA
  curl -sf --max-time 3 --cacert "$2" "https://127.0.0.1:$1/healthz" 2>/dev/null | grep -q '"status":"OK"'
}

lock_state() {
  mkdir -p "$STATE"
  mkdir "$STATE/.lock" 2>/dev/null || fail "another network command works on $STATE" "if none does, remove $STATE/.lock"
  trap 'rmdir "$STATE/.lock" 2>/dev/null || true' EXIT
}
