#!/bin/sh
# Makes the pepper that all of Heddle's keys are hashed with, once: `KEY_VAULT=name infra/azure/pepper.sh`. What is there stays, and what was
# deleted is taken back. Its value is in no argument, no log and no template. azd runs this after it has made the resources.
set -eu
: "${KEY_VAULT:?the name of the vault: an output of the deployment}"

if [ "${PRIVATE_NETWORK:-false}" = true ]; then
  case "${HEDDLE_INSIDE:-}" in
    '')
      echo "The vault is private. From within its network: HEDDLE_INSIDE=1 PRIVATE_NETWORK=true KEY_VAULT=$KEY_VAULT infra/azure/pepper.sh" >&2
      exit 0
      ;;
  esac
fi

# A role that was just given is seen after a minute or two.
tries=${PEPPER_TRIES:-20}
until names=$(az keyvault secret list --vault-name "$KEY_VAULT" --query '[].name' --output tsv 2>&1); do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    echo "The vault $KEY_VAULT can't be read: $names" >&2
    echo "It takes the role Key Vault Secrets Officer." >&2
    exit 1
  fi
  sleep "${PEPPER_PAUSE:-15}"
done

if printf '%s\n' "$names" | grep -qx pepper; then
  echo "The pepper is there."
  exit 0
fi
if az keyvault secret list-deleted --vault-name "$KEY_VAULT" --query '[].name' --output tsv | grep -qx pepper; then
  az keyvault secret recover --vault-name "$KEY_VAULT" --name pepper --output none
  echo "The pepper had been deleted: it is back."
  exit 0
fi

umask 077
file=$(mktemp)
trap 'rm -f "$file"' EXIT
openssl rand -hex 32 | tr -d '\n' >"$file"
az keyvault secret set --vault-name "$KEY_VAULT" --name pepper --file "$file" --encoding utf-8 --output none
echo "A pepper was made. Keep a copy in a second place."
