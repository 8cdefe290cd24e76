# shellcheck shell=bash
# Connection profiles: what a client of one organisation needs to reach the network. Paths are relative to the file.

# write_connection_profile MSPID. The gateway is the organisation's own peer, always: another's would see its transient data.
write_connection_profile() {
  local org=$1 base user file
  base=crypto/peerOrganizations/$(domain "$org") user=User1@$(domain "$org") file=$STATE/connection-$org.json
  cat >"$file" <<END
{
  "mspId": "$org",
  "channel": "$CHANNEL",
  "chaincode": "$CHAINCODE",
  "certificate": "$base/users/$user/msp/signcerts/$user-cert.pem",
  "key": "$base/users/$user/msp/keystore/priv_sk",
  "gateways": [
    {
      "endpoint": "https://127.0.0.1:$(port "$org.peer")",
      "tlsRoots": "$base/peers/$(peer_host "$org")/tls/ca.crt",
      "serverName": "$(peer_host "$org")"
    }
  ]
}
END
}
