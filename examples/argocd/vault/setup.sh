#!/bin/sh
# Lets the plugin's service account read, and nothing else. Safe to run again.
#
#   kubectl get --raw /openid/v1/jwks > jwks.json
#   … one PEM file of those public keys: keys.pem
#   VAULT_ADDR=… VAULT_TOKEN=… ./setup.sh keys.pem        # VAULT=bao for OpenBao
set -eu
keys=$1
here=$(cd "$(dirname "$0")" && pwd)
vault=${VAULT:-vault}

"$vault" auth list -format=json | grep -q '"jwt/"' || "$vault" auth enable jwt
"$vault" write auth/jwt/config jwt_validation_pubkeys=@"$keys"
"$vault" policy write krmfn-argocd "$here/policy.hcl"
"$vault" write auth/jwt/role/krmfn-argocd @"$here/role.json"
