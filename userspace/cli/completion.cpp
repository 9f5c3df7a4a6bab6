// `dptrace completion SHELL` prints completion that is made from the option list itself, so that
// the two cannot differ.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "causes/pages.hpp"
#include "cli/commands.hpp"
#include "cli/option_list.hpp"
#include "run/exit_status.hpp"
#include "run/standard_output.hpp"

namespace dptrace {

namespace {

template <typename... Values>
void print(std::string& out, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Values>(values)...);
}

/// Makes `tcp udp` of `tcp|udp|N`. Words in capitals stand for a value that the user makes up, and
/// are left out.
std::string choices(const std::string& value) {
  std::string words;
  std::size_t start = 0;
  while (start <= value.size()) {
    const std::size_t end = std::min(value.find('|', start), value.size());
    const std::string word = value.substr(start, end - start);
    start = end + 1;
    if (std::none_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
      words += words.empty() ? word : ' ' + word;
    }
  }
  return words;
}

std::string joined(const std::vector<ListedCommand>& commands, std::string_view separator) {
  std::string names;
  for (const auto& command : commands) {
    if (command.name.empty()) continue;
    if (!names.empty()) names += separator;
    names += command.name;
  }
  return names;
}

std::string causes() {
  std::string names;
  for (const auto& page : cause_pages()) {
    names += names.empty() ? "" : " ";
    names += page.identifier;
  }
  return names;
}

std::string bash_values(const ListedOption& option) {
  if (option.value == "FILE") return "_dptrace_files";
  if (option.value == "NAME") {
    return R"sh(COMPREPLY=($(compgen -W "$(command ls /sys/class/net)" -- "$cur")))sh";
  }
  return fmt::format(R"sh(COMPREPLY=($(compgen -W "{}" -- "$cur")))sh", choices(option.value));
}

std::string bash_names(const ListedCommand& command) {
  std::string names;
  for (const auto& option : command.options) {
    for (const auto& name : option.names) names += (names.empty() ? "" : " ") + name;
  }
  return names;
}

void print_bash_values(std::string& out, const ListedCommand& command) {
  for (const auto& option : command.options) {
    if (option.value.empty()) continue;
    std::string patterns;
    for (const auto& name : option.names) {
      patterns += fmt::format("{}{}:{}", patterns.empty() ? "" : "|", command.name, name);
    }
    print(out, "    {}) {}; return ;;\n", patterns, bash_values(option));
  }
}

void print_bash(std::string& out, const std::vector<ListedCommand>& commands) {
  print(out, R"(# bash completion for dptrace, made by "dptrace completion bash"
_dptrace_files() {{
  compopt -o filenames 2> /dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}}
_dptrace() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command='' word
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in {}) command=$word; break ;; esac
  done
  case $command:$prev in
)",
        joined(commands, "|"));
  for (const auto& command : commands) print_bash_values(out, command);
  print(out,
        "  esac\n  case $command:$cur in\n"
        "    show:[!-]* | show:) _dptrace_files ;;\n"
        "    explain:[!-]* | explain:) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;\n"
        "    completion:[!-]* | completion:)"
        " COMPREPLY=($(compgen -W 'bash zsh' -- \"$cur\")) ;;\n",
        causes());
  for (const auto& command : commands) {
    print(out, "    {}:*) COMPREPLY=($(compgen -W \"{}{}{}\" -- \"$cur\")) ;;\n", command.name,
          bash_names(command), command.name.empty() ? " " : "",
          command.name.empty() ? joined(commands, " ") : "");
  }
  print(out, "  esac\n}}\ncomplete -F _dptrace dptrace\n");
}

std::string zsh_quoted(const std::string& text) {
  std::string quoted;
  for (const char letter : text) {
    if (letter == '\n') {
      quoted += ' ';
    } else if (letter == '\'') {
      quoted += R"('\'')";
    } else if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') {
      quoted += std::string("\\") + letter;
    } else {
      quoted += letter;
    }
  }
  return quoted;
}

std::string zsh_values(const ListedOption& option) {
  if (option.value.empty()) return {};
  if (option.value == "FILE") return ":file:_files";
  if (option.value == "NAME") return ":interface:_net_interfaces";
  if (option.value.find('|') == std::string::npos) return fmt::format(":{}: ", option.value);
  return fmt::format(":value:({})", choices(option.value));
}

void print_zsh_arguments(std::string& out, const ListedCommand& command) {
  for (const auto& option : command.options) {
    for (const auto& name : option.names) {
      // A long option also takes its value behind "=".
      const bool assigned = !option.value.empty() && name.starts_with("--");
      print(out, "      '*{}{}[{}]{}' \\\n", name, assigned ? "=" : "", zsh_quoted(option.help),
            zsh_values(option));
    }
  }
}

std::string zsh_rest(const ListedCommand& command) {
  if (command.name.empty()) return "'1: :{_describe command commands}'";
  if (command.name == "show") return "'*:recording:_files'";
  if (command.name == "explain") return fmt::format("'*:cause:({})'", causes());
  if (command.name == "completion") return "'*:shell:(bash zsh)'";
  return "'*: : '";
}

void print_zsh(std::string& out, const std::vector<ListedCommand>& commands) {
  print(out,
        "#compdef dptrace\n# zsh completion for dptrace, made by \"dptrace completion zsh\"\n"
        "_dptrace() {{\n  local -a commands=(\n");
  for (const auto& command : commands) {
    if (!command.name.empty()) print(out, "    '{}:{}'\n", command.name, zsh_quoted(command.help));
  }
  print(out, "  )\n  case ${{words[(r)({})]}} in\n", joined(commands, "|"));
  for (const auto& command : commands) {
    print(out, "    '{}') _arguments \\\n", command.name);
    print_zsh_arguments(out, command);
    print(out, "      {} ;;\n", zsh_rest(command));
  }
  print(out,
        "  esac\n}}\n"
        "# Found by compinit, or sourced.\n"
        "if [[ ${{funcstack[1]}} == _dptrace ]]; then _dptrace \"$@\"; else compdef _dptrace "
        "dptrace; fi\n");
}

}  // namespace

int run_completion(const CompletionCommand& command) {
  const auto commands = list_options();
  std::string out;
  if (command.shell == "zsh") {
    print_zsh(out, commands);
  } else {
    print_bash(out, commands);
  }
  return print_results(out, kSuccess);
}

}  // namespace dptrace
