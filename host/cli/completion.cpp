// sluice completion: what shells read to complete words. They ask the program itself (complete.cpp)
// each time, so that they know what runs.
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <string>

#include "host/cli/graph_options.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;

// Bash takes "main=box" for three words; the program and the user take it for one.
constexpr const char* kBash = R"sh(# Completion of sluice and scc for bash.
_sluice() {
  local word line words=() current
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [ ${#words[@]} -gt 0 ] && { [ "$word" = = ] || [[ ${words[-1]} == *= && $word != -* ]]; }; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
  done
  [ "${1##*/}" != scc ] || words=(scc "${words[@]}")
  current=${words[-1]}
  COMPREPLY=()
  while IFS= read -r line; do
    line=${line%%$'\t'*}
    if [ "$line" = :files ]; then
      compopt -o filenames 2>/dev/null
      mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current")
      continue
    fi
    [[ $line != *= ]] || compopt -o nospace 2>/dev/null
    # What stands before the last "=" is there already.
    [[ $current != *=* || $COMP_WORDBREAKS != *=* ]] || line=${line#"${current%=*}="}
    COMPREPLY+=("$line")
  done < <(sluice complete -- "${words[@]}" 2>/dev/null)
}
complete -F _sluice sluice scc
)sh";

constexpr const char* kZsh = R"sh(#compdef sluice scc
# Completion of sluice and scc for zsh.
_sluice() {
  local line tab=$'\t' asked
  local -a asking candidates shown open_candidates
  asking=("${(@)words[2,CURRENT]}")
  [[ $service != scc ]] || asking=(scc "${(@)asking}")
  while IFS= read -r line; do
    asked=${line%%$tab*}
    if [[ $asked == :files ]]; then
      _files
    elif [[ $asked == *= ]]; then
      open_candidates+=("$asked")
    else
      candidates+=("$asked")
      shown+=("${line/$tab/  }")
    fi
  done < <(command sluice complete -- "${(@)asking}" 2>/dev/null)
  (( ! $#candidates )) || compadd -l -d shown -a candidates
  (( ! $#open_candidates )) || compadd -S '' -a open_candidates
}
_sluice "$@"
)sh";

constexpr const char* kFish = R"sh(# Completion of sluice and scc for fish.
function __sluice_complete
    set -l asking (commandline -opc)[2..] (commandline -ct)
    if test (basename (commandline -opc)[1]) = scc
        set -p asking scc
    end
    for line in (command sluice complete -- $asking 2>/dev/null)
        if test $line = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c sluice -f -a '(__sluice_complete)'
complete -c scc -f -a '(__sluice_complete)'
)sh";

}  // namespace

int run_completion(const Arguments& arguments) {
  std::string shell;
  po::options_description options("Options");
  options.add_options()("shell", po::value(&shell)->value_name("SHELL"), "bash, zsh or fish");
  po::positional_options_description positional;
  positional.add("shell", 1);
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice completion bash|zsh|fish",
             "Prints what the shell needs to complete commands, options, and the routes, nodes and "
             "parameters of running graphs: 'source <(sluice completion bash)'.",
             options, positional, exit_code)) {
    return exit_code;
  }
  const char* text = shell == "bash"   ? kBash
                     : shell == "zsh"  ? kZsh
                     : shell == "fish" ? kFish
                                       : nullptr;
  if (!text) {
    std::fputs("Usage: sluice completion bash|zsh|fish\n", stderr);
    return kUsage;
  }
  std::fputs(text, stdout);
  return kSuccess;
}

}  // namespace sluice::cli
