//! The spelling of settings in error messages, which depends on the program.

/// How a refusal spells the setting that would allow the request. The names themselves are the same everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SettingNames {
    /// As fields of the configuration in Rust: `allowed_origins`.
    #[default]
    Rust,
    /// As options of a command line: `--allowed-origins`.
    CommandLine,
    /// As settings of a Godot project: `halloo/allowed_origins`.
    Godot,
}

impl SettingNames {
    /// Returns the name of a setting in backticks.
    ///
    /// ```
    /// use halloo_proto::setting_names::SettingNames;
    ///
    /// assert_eq!(SettingNames::CommandLine.name("max_clients"), "`--max-clients`");
    /// assert_eq!(SettingNames::Godot.name("max_clients"), "`halloo/max_clients`");
    /// ```
    pub fn name(self, setting: &str) -> String {
        match self {
            SettingNames::Rust => format!("`{setting}`"),
            SettingNames::CommandLine => format!("`--{}`", setting.replace('_', "-")),
            SettingNames::Godot => format!("`halloo/{setting}`"),
        }
    }

    /// Returns the instruction to set a setting to `value`.
    pub fn set(self, setting: &str, value: &str) -> String {
        match self {
            SettingNames::CommandLine => format!("use `--{} {value}`", setting.replace('_', "-")),
            SettingNames::Rust | SettingNames::Godot => format!("set {} to `{value}`", self.name(setting)),
        }
    }

    /// Returns the instruction to add `value` to a setting that is a list.
    pub fn add(self, setting: &str, value: &str) -> String {
        match self {
            // Some shells expand brackets.
            SettingNames::CommandLine if value.contains('[') => {
                format!("use `--{} \"{value}\"`", setting.replace('_', "-"))
            }
            SettingNames::CommandLine => self.set(setting, value),
            SettingNames::Rust | SettingNames::Godot => format!("add `{value}` to {}", self.name(setting)),
        }
    }
}
