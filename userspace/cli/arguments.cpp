#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/near_name.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kVersion = "--version";

class Arranger {
 public:
  explicit Arranger(const std::vector<ListedCommand>& commands) : commands_(commands) {}

  Result<std::vector<std::string>> arrange(const std::vector<std::string>& arguments) {
    find_command(arguments);
    for (at_ = 0; at_ < arguments.size(); ++at_) {
      const std::string& word = arguments[at_];
      Result<> taken;
      if (is_end_ || word.size() < 2 || word[0] != '-') {
        taken = take_word(word);
      } else if (word == "--") {
        is_end_ = true;
      } else {
        taken = word[1] == '-' ? take_long(word, arguments) : take_short(word, arguments);
      }
      if (!taken) return tl::unexpected(taken.error());
    }
    if (auto complete = check_operands(); !complete) return tl::unexpected(complete.error());
    return arranged();
  }

 private:
  // The first word that is neither an option nor an option's value.
  void find_command(const std::vector<std::string>& arguments) {
    command_ = &commands_.front();
    for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
      const std::string& word = arguments[i];
      if (word.size() > 1 && word[0] == '-') {
        if (takes_next(word)) ++i;
        continue;
      }
      command_at_ = i;
      for (const auto& command : commands_) {
        if (!command.name.empty() && command.name == word) command_ = &command;
      }
      return;
    }
  }

  // True when the option takes the next word. All commands are searched, because which command it
  // is going to be is not known yet.
  bool takes_next(const std::string& word) const {
    if (word.find('=') != std::string::npos) return false;
    return std::any_of(commands_.begin(), commands_.end(), [&](const ListedCommand& command) {
      const ListedOption* option =
          find(command, word.starts_with("--") ? word : last_of(command, word));
      return option != nullptr && !option->value.empty();
    });
  }

  // The option in `-vc` to which a next word could belong; empty when its value is already in the
  // word.
  static std::string last_of(const ListedCommand& command, const std::string& word) {
    for (std::size_t i = 1; i + 1 < word.size(); ++i) {
      const ListedOption* option = find(command, {'-', word[i]});
      if (option == nullptr || !option->value.empty()) return {};
    }
    return {'-', word.back()};
  }

  static const ListedOption* find(const ListedCommand& command, const std::string& name) {
    for (const auto& option : command.options) {
      if (std::find(option.names.begin(), option.names.end(), name) != option.names.end())
        return &option;
    }
    return nullptr;
  }

  bool is_option(const std::string& word) const {
    const std::string name = word.substr(0, word.find('='));
    return std::any_of(commands_.begin(), commands_.end(), [&](const ListedCommand& command) {
      return find(command, name) != nullptr;
    });
  }

  std::string title() const {
    return command_->name.empty() ? "dptrace" : "dptrace " + command_->name;
  }

  tl::unexpected<Error> unknown(const std::string& name) const {
    for (const auto& command : commands_) {
      if (find(command, name) == nullptr) continue;
      return failure(fmt::format("{} is no option of '{}', but of 'dptrace {}'", name, title(),
                                 command.name.empty() ? "trace" : command.name));
    }
    NearName near(name);
    for (const auto& option : command_->options) {
      for (const auto& known : option.names) {
        if (known.size() > 2) near.offer(known);
      }
    }
    return failure(
        fmt::format("there is no option {}{}", name,
                    near.found().empty() ? "" : fmt::format("; did you mean {}?", near.found())));
  }

  Result<> remember(const ListedOption& option, const std::string& name) {
    if (is_seen(option) && !option.value.empty() && !option.repeatable)
      return failure(fmt::format("{} is given twice: it takes one {}", name, option.value));
    seen_.push_back(option.names.back());
    return {};
  }

  bool is_seen(const ListedOption& option) const {
    return std::find(seen_.begin(), seen_.end(), option.names.back()) != seen_.end();
  }

  // Takes the next word as the value of an option that ends its own word.
  Result<std::string> next_value(const ListedOption& option, const std::string& name,
                                 const std::vector<std::string>& arguments) {
    if (at_ + 1 >= arguments.size())
      return failure(fmt::format("{} needs a value: {} {}", name, name, option.value));
    const std::string& value = arguments[at_ + 1];
    if (value.size() > 1 && value[0] == '-' && is_option(value))
      return failure(fmt::format("{} needs a value: {} {} (behind it is the option {})", name, name,
                                 option.value, value));
    ++at_;
    return value;
  }

  // Adds the option as `--name=value`, so that a value can look like anything.
  Result<> add(const ListedOption& option, const std::string& name, const std::string& value) {
    if (value.empty())
      return failure(fmt::format("{} has an empty value: it takes {}", name, option.value));
    options_.push_back(option.names.back() + '=' + value);
    return {};
  }

  Result<> take_long(const std::string& word, const std::vector<std::string>& arguments) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const ListedOption* option = find(*command_, name);
    if (option == nullptr && name == kVersion) option = find(commands_.front(), name);
    if (option == nullptr) return unknown(name);
    if (auto once = remember(*option, name); !once) return once;
    if (option->value.empty()) {
      if (equals != std::string::npos) return failure(fmt::format("{} takes no value", name));
      (name == kVersion ? first_ : options_).push_back(name);
      return {};
    }
    if (equals != std::string::npos) return add(*option, name, word.substr(equals + 1));
    const auto value = next_value(*option, name, arguments);
    return value ? add(*option, name, *value) : tl::unexpected(value.error());
  }

  // Takes a word of short options: `-v`, `-c5`, `-vc 5`.
  Result<> take_short(const std::string& word, const std::vector<std::string>& arguments) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const std::string name = {'-', word[i]};
      const ListedOption* option = find(*command_, name);
      if (option == nullptr) return unknown(name);
      if (auto once = remember(*option, name); !once) return once;
      if (option->value.empty()) {
        options_.push_back(option->names.back());
        continue;
      }
      const std::string rest = word.substr(i + 1);
      if (rest.starts_with('=')) {
        return failure(
            fmt::format("{} takes its value without '=': {} {}", word, name, option->value));
      }
      if (!rest.empty()) return add(*option, name, rest);
      const auto value = next_value(*option, name, arguments);
      return value ? add(*option, name, *value) : tl::unexpected(value.error());
    }
    return {};
  }

  Result<> take_word(const std::string& word) {
    if (!is_end_ && at_ == command_at_ && !command_->name.empty()) return {};
    if (command_->name.empty()) {
      std::string names;
      for (const auto& command : commands_) {
        if (!command.name.empty()) names += (names.empty() ? "" : ", ") + command.name;
      }
      return failure(fmt::format("there is no command '{}': there are {}", word, names));
    }
    if (operands_.size() == command_->operands.size()) {
      return failure(fmt::format("'{}' is one word too many: {}", word, usage()));
    }
    if (word.empty())
      return failure(fmt::format("{} is empty: {}", command_->operands[operands_.size()], usage()));
    operands_.push_back(word);
    return {};
  }

  std::string usage() const {
    std::string text = title();
    for (const auto& operand : command_->operands) text += ' ' + operand;
    for (const auto& option : command_->options) {
      if (option.replaces_operands) text += ", or " + title() + ' ' + option.names.back();
    }
    return text;
  }

  Result<> check_operands() const {
    const bool asks_for_help = std::any_of(seen_.begin(), seen_.end(), [](const auto& name) {
      return name == "--help" || name == kVersion;
    });
    if (asks_for_help) return {};
    for (const auto& option : command_->options) {
      if (!option.replaces_operands || !is_seen(option)) continue;
      if (operands_.empty()) return {};
      return failure(fmt::format("{} stands alone, without '{}': {}", option.names.back(),
                                 operands_.front(), usage()));
    }
    if (operands_.size() == command_->operands.size()) return {};
    return failure(fmt::format("{} is missing: {}", command_->operands[operands_.size()], usage()));
  }

  std::vector<std::string> arranged() const {
    std::vector<std::string> words = first_;
    if (!command_->name.empty()) words.push_back(command_->name);
    words.insert(words.end(), options_.begin(), options_.end());
    if (!operands_.empty()) words.emplace_back("--");
    words.insert(words.end(), operands_.begin(), operands_.end());
    return words;
  }

  const std::vector<ListedCommand>& commands_;
  const ListedCommand* command_ = nullptr;
  std::size_t command_at_ = SIZE_MAX;
  std::size_t at_ = 0;
  bool is_end_ = false;             // "--" was met, behind which there are no options
  std::vector<std::string> first_;  ///< options before a command
  std::vector<std::string> options_;
  std::vector<std::string> operands_;
  std::vector<std::string> seen_;
};

}  // namespace

Result<std::vector<std::string>> arrange(const std::vector<std::string>& arguments,
                                         const std::vector<ListedCommand>& commands) {
  return Arranger(commands).arrange(arguments);
}

}  // namespace dptrace
