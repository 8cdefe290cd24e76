# shellcheck shell=bash
# The contract: built once, packed for each organisation, run as a service or by the peer.

contract_dir() { printf '%s/contract/%s' "$STATE" "$1"; }
code_dir() { printf '%s/contract/code' "$STATE"; }
package_field() { node -p "require('$(code_dir)/package.json').$1 ?? ''"; }

# build_contract SOURCE: what runs is a copy, so that work on the source changes nothing until the next deploy.
build_contract() {
  local source=$1 work=$STATE/contract/build log=$STATE/contract/build.log main
  [ -f "$source/package.json" ] || fail "no contract in $source" "it must hold a package.json; name another with --contract DIR"
  mkdir -p "$STATE/contract"
  : >"$log"
  (
    cd "$source"
    if [ ! -d node_modules ]; then npm ci --no-audit --no-fund; fi
    npm run build --if-present
  ) >>"$log" 2>&1 || fail "the contract does not build" "see $log" "$(tail -3 "$log")"
  rm -rf "$work"
  mkdir -p "$work"
  (
    cd "$source"
    npm pack --ignore-scripts --pack-destination "$work"
  ) >>"$log" 2>&1 || fail "npm pack failed for $source" "see $log"
  tar -xzf "$work"/*.tgz -C "$work"
  cp "$source/package-lock.json" "$work/package/"
  main=$(node -p "require('$work/package/package.json').main ?? 'index.js'")
  [ -f "$work/package/$main" ] || fail "the built contract lacks its main file $main" "check \"main\" and \"files\" in $source/package.json"
  rm -rf "$(code_dir).new"
  mv "$work/package" "$(code_dir).new"
  rm -rf "$work"
  (cd "$(code_dir).new" && npm ci --omit=dev --no-audit --no-fund) >>"$log" 2>&1 || fail "the contract's packages cannot be installed" "see $log" "$(tail -3 "$log")"
  rm -rf "$(code_dir)"
  mv "$(code_dir).new" "$(code_dir)"
}

# place_consortium FILE: every organisation's contract holds its own copy and accepts no other at InitConsortium.
place_consortium() {
  local org
  for org in $PEER_ORGS; do
    mkdir -p "$(contract_dir "$org")"
    cp "$1" "$(contract_dir "$org")/consortium.json"
  done
}

# A contract that serves is replaced by one on the other of its organisation's two ports: the old one serves on until the new definition is
# committed. Were the new one in its place, what the peer executes at that moment would hang, and its blocks with it.
contract_port() { cat "$(contract_dir "$1")/port" 2>/dev/null || port "$1.contract"; }
other_port() { if [ "$(contract_port "$1")" = "$(port "$1.contract")" ]; then port "$1.successor"; else port "$1.contract"; fi; }
serves_code() { case $(cat "$1/running" 2>/dev/null) in *"$(cat "$1/code.json")") return 0 ;; *) return 1 ;; esac; }

# choose_port MSPID: that of the process which the package is for.
choose_port() {
  local org=$1 dir chosen
  dir=$(contract_dir "$org")
  if ! external && is_running "$dir/pid" && ! is_running "$dir/pid.old" && ! serves_code "$dir"; then chosen=$(other_port "$org"); else chosen=$(contract_port "$org"); fi
  printf '%s' "$chosen" >"$dir/port.next"
  printf '%s' "$chosen"
}

# pack_contract MSPID MODE: writes the organisation's package and prints its id.
pack_contract() {
  local org=$1 mode=$2 dir label crypto
  dir=$(contract_dir "$org") label=${CHAINCODE}_$(package_field version) crypto=$(org_dir "$org")/peers
  mkdir -p "$dir"
  # The code is not in a service's package; its digest is, so that other code gives another package id.
  node "$NETWORK/lib/digest.mjs" "$(code_dir)" >"$dir/code.json"
  if [ "$mode" = service ]; then
    printf '{"type":"ccaas","label":"%s"}\n' "$label" >"$dir/metadata.json"
    node -e '
      const { readFileSync: read } = require("fs");
      const [port, roots, certificate, key] = process.argv.slice(1);
      console.log(JSON.stringify({ address: `127.0.0.1:${port}`, dial_timeout: "10s", tls_required: true, client_auth_required: true,
        root_cert: read(roots, "utf8"), client_cert: read(certificate, "utf8"), client_key: read(key, "utf8") }));' \
      "$(choose_port "$org")" "$(tls_ca "$org")" "$crypto/$(peer_host "$org")/tls/server.crt" "$crypto/$(peer_host "$org")/tls/server.key" >"$dir/connection.json"
    chmod 600 "$dir/connection.json"
    node "$NETWORK/lib/package.mjs" "$dir/package.tar.gz" "$dir/metadata.json" "connection.json=$dir/connection.json" "code.json=$dir/code.json"
  else
    printf '{"path":"","type":"node","label":"%s"}\n' "$label" >"$dir/metadata.json"
    local extra=()
    [ ! -f "$dir/consortium.json" ] || extra=("src/consortium.json=$dir/consortium.json")
    node "$NETWORK/lib/package.mjs" "$dir/package.tar.gz" "$dir/metadata.json" "src=$(code_dir)" ${extra[@]+"${extra[@]}"}
  fi
  as "$org" peer lifecycle chaincode calculatepackageid "$dir/package.tar.gz"
}

install_contract() { # install_contract MSPID PACKAGE_ID
  local org=$1 id=$2 answer
  if as "$org" peer lifecycle chaincode queryinstalled 2>/dev/null | grep -q "Package ID: $id,"; then return 0; fi
  answer=$(as "$org" peer lifecycle chaincode install "$(contract_dir "$org")/package.tar.gz" 2>&1) || fail "$(peer_host "$org") did not take the contract" "$answer" "see $(peer_log "$org")"
}

# The service's process. What it serves is in $dir/running, so that it is started again only when that changes.
start_contract() { # start_contract MSPID
  local org=$1 dir tls want
  dir=$(contract_dir "$org") tls=$(org_dir "$org")/peers/$(contract_host "$org")/tls
  [ -f "$dir/service-id" ] || return 0
  ! external || return 0
  want=$(cat "$dir/service-id" "$dir/code.json")
  if is_running "$dir/pid" && [ "$(cat "$dir/running" 2>/dev/null)" = "$want" ]; then return 0; fi
  # what serves goes on; what was to follow it and was never committed does not
  if is_running "$dir/pid" && ! is_running "$dir/pid.old" && [ "$(cat "$dir/port.next" 2>/dev/null)" != "$(contract_port "$org")" ]; then
    mv "$dir/pid" "$dir/pid.old"
  else
    stop "contract of $org" "$dir/pid"
  fi
  [ ! -f "$dir/port.next" ] || mv "$dir/port.next" "$dir/port"
  refuse_taken "the contract of $org" "$(contract_port "$org")"
  printf '%s' "$want" >"$dir/running"
  CORE_PEER_LOCALMSPID=$org BRIDGE_CONSORTIUM_FILE=$dir/consortium.json start "contract of $org" "$dir/pid" "$dir/contract.log" \
    "$NETWORK/lib/supervise" node "$(code_dir)/node_modules/.bin/fabric-chaincode-node" server \
    --module-path "$(code_dir)" --chaincode-address "127.0.0.1:$(contract_port "$org")" --chaincode-id "$(cat "$dir/service-id")" \
    --chaincode-tls-cert-file "$tls/server.crt" --chaincode-tls-key-file "$tls/server.key" --chaincode-tls-client-cacert-file "$tls/ca.crt"
}
await_contract() { wait_for 60 "the contract of $1 listening" "see $(contract_dir "$1")/contract.log" port_open "$(contract_port "$1")"; }
stop_old_contracts() { local org; for org in $PEER_ORGS; do stop "former contract of $org" "$(contract_dir "$org")/pid.old"; done; }
start_contracts() {
  local org
  for org in $PEER_ORGS; do start_contract "$org"; done
  ! external || return 0
  for org in $PEER_ORGS; do [ ! -f "$(contract_dir "$org")/service-id" ] || await_contract "$org"; done
}

# --- definition -------------------------------------------------------------------------------------------------------

committed_sequence() {
  as "$PORTAL" peer lifecycle chaincode querycommitted -C $CHANNEL -n $CHAINCODE -O json 2>/dev/null | node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).sequence ?? 0' 2>/dev/null || printf 0
}

definition_flags() { # definition_flags SEQUENCE
  printf '%s\n' --channelID $CHANNEL --name $CHAINCODE --version "$(package_field version)" --sequence "$1" \
    --signature-policy "$(cat "$STATE/contract/policy")" --collections-config "$STATE/contract/collections.json"
}

write_definition() {
  # shellcheck disable=SC2046
  node "$NETWORK/lib/collections.mjs" --portal $PORTAL $(hospitals) >"$STATE/contract/collections.json"
  # shellcheck disable=SC2046
  node "$NETWORK/lib/collections.mjs" --policy --portal $PORTAL $(hospitals) >"$STATE/contract/policy"
}

# What was committed last, by digest: a definition that is the same needs no new sequence, only new approvals.
definition_digest() { { package_field version; cat "$STATE/contract/policy" "$STATE/contract/collections.json"; } | openssl dgst -sha256 -r | cut -c1-64; }

approve_and_commit() { # approve_and_commit MODE: all organisations approve one definition, then it is committed
  local org sequence committed id answer flags=() peers=() orderer
  committed=$(committed_sequence)
  sequence=$committed
  if [ "$committed" = 0 ] || [ "$(cat "$STATE/contract/committed" 2>/dev/null)" != "$(definition_digest)" ]; then sequence=$((committed + 1)); fi
  while IFS= read -r flag; do flags+=("$flag"); done < <(definition_flags "$sequence")
  read -ra orderer <<<"$(orderer_flags)"
  for org in $PEER_ORGS; do
    id=$(cat "$(contract_dir "$org")/package-id")
    if [ "$(cat "$(contract_dir "$org")/approved" 2>/dev/null)" = "$sequence $id $(definition_digest)" ]; then continue; fi
    if ! answer=$(as "$org" peer lifecycle chaincode approveformyorg "${orderer[@]}" "${flags[@]}" --package-id "$id" 2>&1); then
      case $answer in
        *'with different parameters'*) fail "$org could not approve the contract's definition (sequence $sequence)" "$answer" ;;
        *'attempted to redefine the current committed sequence'* | *'with unchanged content'*) ;;
        *) fail "$org could not approve the contract's definition (sequence $sequence)" "$answer" ;;
      esac
    fi
    printf '%s %s %s' "$sequence" "$id" "$(definition_digest)" >"$(contract_dir "$org")/approved"
  done
  if [ "$sequence" != "$committed" ]; then
    for org in $PEER_ORGS; do peers+=(--peerAddresses "127.0.0.1:$(port "$org.peer")" --tlsRootCertFiles "$(tls_ca "$org")"); done
    answer=$(as "$PORTAL" peer lifecycle chaincode commit "${orderer[@]}" "${flags[@]}" "${peers[@]}" 2>&1) || fail "the contract's definition (sequence $sequence) was not committed" "$answer"
    definition_digest >"$STATE/contract/committed"
  fi
  SEQUENCE=$sequence
}

# Any answer of the contract itself will do, a refusal too; "error in simulation" is the peer's own, for a contract it cannot reach.
contract_answers() { # contract_answers MSPID
  local answer
  answer=$(as "$1" peer chaincode query -C $CHANNEL -n $CHAINCODE -c '{"Args":["ReadConsortium"]}' 2>&1) && return 0
  case $answer in *'error in simulation'*) return 1 ;; *'endorsement failure during query. response: status:500'*) return 0 ;; *) return 1 ;; esac
}
