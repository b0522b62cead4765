//! Defaults, refusals, and what a refusal shows.

use super::*;
use crate::kroger::limits::Endpoint;

fn settings(variables: &[(&str, &str)]) -> Result<Settings, Vec<SettingError>> {
    Settings::from_variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn without_variables_each_setting_has_its_default() {
    let settings = settings(&[]).unwrap();

    assert!(settings.client.is_none());
    assert_eq!(settings.redirect_uri.as_str(), "http://localhost:9004/auth/callback");
    assert_eq!(settings.api_base_url.as_str(), "https://api.kroger.com/");
    assert_eq!(settings.scope.as_str(), "profile.compact cart.basic:write");
    assert_eq!(settings.default_user.as_str(), "user_default");
    assert_eq!(settings.refresh_buffer, Duration::from_secs(300));
    assert_eq!(settings.check_interval, Duration::from_secs(60));
    assert_eq!(settings.max_refresh_retries, 3);
    assert_eq!(settings.refresh_pause, Duration::from_secs(60));
    assert_eq!(settings.default_location.radius_miles, 10);
    assert_eq!(settings.default_modality, Modality::Pickup);
    assert_eq!(Endpoint::ALL.map(|each| settings.quotas.of(each)), [10_000, 5_000, 5_000, 1_600, 1_600, 1_600]);
    assert_eq!(settings.quotas.reserve(Endpoint::Products), 500);
}

#[test]
fn a_wrong_value_is_refused_with_name_value_and_what_is_allowed() {
    let wrong = [
        ("KROGER_REDIRECT_URI", "localhost"),
        ("KROGER_API_BASE_URL", "http://api.kroger.com"),
        ("KROGER_API_BASE_URL", "https://api.kroger.com/v1"),
        ("KROGER_TOKEN_PATH", "token"),
        ("KROGER_AUTHORIZE_PATH", "//evil.example/authorize"),
        ("KROGER_SCOPE", "cart\"basic"),
        ("KROGER_HARDCODED_USER_ID", "a\nb"),
        ("KROGER_TOKEN_REFRESH_BUFFER", "5m"),
        ("KROGER_TOKEN_CHECK_INTERVAL", "0"),
        ("KROGER_MAX_REFRESH_RETRIES", "-1"),
        ("KROGER_REFRESH_PAUSE", "3601"),
        ("KROGER_DEFAULT_STORE_ID", "123"),
        ("KROGER_DEFAULT_ZIP_CODE", "4503A"),
        ("KROGER_DEFAULT_RADIUS_MILES", "101"),
        ("KROGER_DEFAULT_MODALITY", "SHIP"),
        ("KROGER_DEFAULT_FULFILLMENT", "ship"),
        ("KROGER_ALLOWED_ORIGINS", "https://a.example/path"),
        ("KROGER_USER_TOKEN_EXPIRES_AT", "tomorrow"),
        ("KROGER_QUOTA_PRODUCTS", "0"),
        ("KROGER_QUOTA_CART", "-1"),
        ("KROGER_QUOTA_IDENTITY", "5e3"),
        ("KROGER_QUOTA_LOCATIONS", "1,600"),
        ("KROGER_QUOTA_CHAINS", "many"),
        ("KROGER_QUOTA_DEPARTMENTS", "4294967296"),
        ("KROGER_QUOTA_RESERVE_PERCENT", "51"),
    ];
    for (name, value) in wrong {
        let errors = settings(&[(name, value)]).unwrap_err();
        assert_eq!(errors.len(), 1, "{name}");
        assert_eq!(errors[0].name, name);
        let told = errors[0].to_string();
        assert!(told.contains(&known::setting(name).allowed.to_string()), "{told}");
        assert_eq!(told.contains(&format!("is `{value}`")), known::is_harmless(value), "{told}");
    }
}

#[test]
fn a_url_with_a_password_is_refused_and_never_shown() {
    let wrong = [
        ("KROGER_API_BASE_URL", "https://u:canary@api.kroger.com"),
        ("KROGER_API_BASE_URL", "u:canary@api.kroger.com"),
        ("KROGER_REDIRECT_URI", "https://u:canary@app.example.com/auth/callback"),
        ("KROGER_REDIRECT_URI", "ftp://u:canary@app.example.com/auth/callback"),
        ("KROGER_ALLOWED_ORIGINS", "https://app.example.com,https://u:canary@app.example.com"),
        ("KROGER_ALLOWED_ORIGINS", "https://u:canary ,@app.example.com"),
        ("KROGER_TOKEN_PATH", "https://u:canary@api.kroger.com/token"),
    ];
    for (name, value) in wrong {
        let errors = settings(&[(name, value)]).expect_err(value);
        assert!(errors.iter().all(|error| error.name == name), "{errors:?}");
        assert!(!format!("{errors:?} {}", errors[0]).contains("canary"), "{errors:?}");
    }
}

/// A secret reaches each setting: by a line that two settings share, by a wrong separator, by a paste
/// into the wrong line.
#[test]
fn a_secret_in_the_value_of_any_setting_is_never_shown() {
    for name in known::KNOWN.iter().map(|setting| setting.name).filter(|name| name.starts_with("KROGER_")) {
        for value in [
            "app1 KROGER_CLIENT_SECRET=canary",
            "app1;KROGER_CLIENT_SECRET=canary",
            "app1,KROGER_CLIENT_SECRET=canary",
            "app1\rKROGER_CLIENT_SECRET=canary",
            "app1 export KROGER_CLIENT_SECRET=\"canary\"",
            "KROGER_CLIENT_SECRET: canary",
            "canary with spaces",
            "canary",
            "https://api.kroger.com/canary/",
            "`canary`",
            "canary\u{e9}\n",
        ] {
            let told = match settings(&[(name, value)]) {
                Ok(_) if value.contains("KROGER_CLIENT_SECRET") => panic!("{name} takes {value:?}"),
                Ok(_) => continue,
                Err(errors) => {
                    let each: Vec<String> = errors.iter().map(|error| format!("{error} {error:?}")).collect();
                    each.join("\n")
                }
            };

            assert!(told.contains(name) && !told.contains("canary"), "{name}, {value:?}: {told}");
        }
    }
}

#[test]
fn a_value_that_is_the_secret_of_another_setting_is_never_shown() {
    let twice = [("KROGER_CLIENT_SECRET", "hush"), ("KROGER_TOKEN_CHECK_INTERVAL", "hush")];

    let errors = settings(&twice).unwrap_err();

    assert!(!format!("{errors:?} {}", errors[0]).contains("hush"), "{errors:?}");
}

#[test]
fn a_secret_in_the_name_of_a_setting_is_never_shown() {
    for name in ["KROGER_CLIENT_SECRETcanary", "KROGER_CLIENT_SECRET-canary", "KROGER_USER_ACCESS_TOKENcanary"] {
        let told = format!("{:?}", settings(&[(name, "x")]).map(|settings| settings.ignored));

        assert!(told.contains("KROGER_") && !told.contains("canary"), "{told}");
    }
}

#[test]
fn a_misspelt_name_is_refused_and_a_foreign_one_is_not() {
    let errors = settings(&[("KROGER_CLIENTID", "x"), ("KROGER_BRANCH_OF_THE_RIVER", "y")]).unwrap_err();

    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].to_string(), "KROGER_CLIENTID: there is no such setting; did you mean KROGER_CLIENT_ID?");
}

#[test]
fn the_older_modality_setting_counts_only_if_the_newer_is_unset() {
    let older = settings(&[("KROGER_DEFAULT_FULFILLMENT", "delivery")]).unwrap();
    let both = settings(&[("KROGER_DEFAULT_FULFILLMENT", "delivery"), ("KROGER_DEFAULT_MODALITY", "PICKUP")]).unwrap();

    assert_eq!(older.default_modality, Modality::Delivery);
    assert_eq!(both.default_modality, Modality::Pickup);
}

#[test]
fn a_setting_of_the_first_system_is_named_as_ignored() {
    let settings = settings(&[("KROGER_DEV_MODE", "true")]).unwrap();

    let name = "KROGER_DEV_MODE".to_owned();
    assert_eq!(settings.ignored, [Ignored { name, reason: IgnoredReason::SandboxReplacesIt }]);
}

#[test]
fn an_unknown_setting_is_named_as_ignored_unless_kubernetes_sets_it() {
    let settings =
        settings(&[("KROGER_LOG_LEVEL", "debug"), ("KROGER_PORT_9004_TCP", "x"), ("KROGER_SERVICE_HOST", "y")]);

    let name = "KROGER_LOG_LEVEL".to_owned();
    assert_eq!(settings.unwrap().ignored, [Ignored { name, reason: IgnoredReason::Unknown }]);
}

#[test]
fn debug_shows_no_secret() {
    let settings = settings(&[
        ("KROGER_CLIENT_ID", "app"),
        ("KROGER_CLIENT_SECRET", "canary-1"),
        ("KROGER_USER_ACCESS_TOKEN", "canary-2"),
        ("KROGER_USER_REFRESH_TOKEN", "canary-3"),
    ])
    .unwrap();

    assert!(!format!("{settings:?}").contains("canary"));
}
