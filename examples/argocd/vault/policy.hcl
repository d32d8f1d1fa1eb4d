# What the plugin may do: read what it seals, and the key that it derives with. Nothing is listed.
path "secret/data/shop/production/*" {
  capabilities = ["read"]
}
path "secret/data/shop/registry" {
  capabilities = ["read"]
}
path "secret/data/krmfn/derivation" {
  capabilities = ["read"]
}
# Without these two an error says less, and the login's token lives to its end.
path "sys/internal/ui/mounts/secret/*" {
  capabilities = ["read"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
