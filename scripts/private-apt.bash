# shellcheck shell=bash
# An apt of our own for another suite of Debian, of which the system's apt hears nothing. Uses `die` of whoever reads
# this in.

# derive_sources SUITE DIRECTORY: writes apt sources for SUITE, which are this machine's own sources
# with another suite in them, so that its mirrors, proxies and keys serve here too.
derive_sources() {
  local suite=$1 directory=$2 own file
  own="($(. /etc/os-release && echo "${VERSION_CODENAME:-none}")|stable|oldstable)"
  # The security archive is another one than the main archive.
  [[ $suite != *-security ]] || own+=-security
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ -r $file ]] || continue
    awk -v own="^$own\$" -v suite="$suite" '
      BEGIN { RS = ""; FS = "\n" }
      {
        stanza = ""; types = 0; wanted = 0; enabled = 1
        for (i = 1; i <= NF; i++) {
          if ($i ~ /^#/) continue
          count = split($i, word, /[: \t]+/)
          name = tolower(word[1])
          if (name == "types") $i = "Types: deb"
          if (name == "enabled" && tolower(word[2]) == "no") enabled = 0
          if (name == "suites") {
            for (j = 2; j <= count; j++) if (word[j] ~ own) wanted = 1
            $i = "Suites: " suite
          }
          if (name == "components") $i = "Components: main"
          stanza = stanza $i "\n"
        }
        if (wanted && enabled) print stanza
      }' "$file" >>"$directory/derived.sources"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -r $file ]] || continue
    sed -nE "s/^deb +((\[[^]]*\] +)?[^ ]+) +$own +.*/deb \1 $suite main/p" "$file" >>"$directory/derived.list"
  done
  [[ -s $directory/derived.sources || -s $directory/derived.list ]] ||
    die "no apt source of this machine has a suite like $own, to derive $suite from: add one to /etc/apt/sources.list.d"
}

# private_apt SUITE DIRECTORY: an apt that knows SUITE only, and the system's apt nothing of it.
# The hooks of the system's configuration (refresh this, clean that) are not for us.
private_apt() {
  local suite=$1 directory=$2
  mkdir -p "$directory"/{sources,lists/partial,cache/archives/partial}
  rm -f "$directory"/sources/*
  derive_sources "$suite" "$directory/sources"
  cat >"$directory/apt.conf" <<END
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$directory/sources";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$directory/lists";
Dir::State::Status "/dev/null";
Dir::Cache "$directory/cache";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false"; // suites that have ended stay usable
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
  apt_get=(apt-get -qq -c "$directory/apt.conf")
  apt_cache=(apt-cache -c "$directory/apt.conf")
}
