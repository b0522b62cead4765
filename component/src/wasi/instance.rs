//! Keeps the data that lasts as long as the instance: the settings, the routes, and the names of the bucket. Never
//! keeps anything of a call.

use std::sync::{Arc, OnceLock};

use crate::http::Service;
use kroger_core::settings::{SettingError, Settings};

/// The data that an instance reads at its start and keeps.
pub(super) struct Instance {
    pub(super) settings: Result<Arc<Settings>, Vec<SettingError>>,
    pub(super) service: Service,
    /// The names to try for the durable bucket, in order.
    pub(super) bucket_names: Vec<String>,
}

pub(super) fn instance() -> &'static Instance {
    static INSTANCE: OnceLock<Instance> = OnceLock::new();
    INSTANCE.get_or_init(|| {
        let settings = Settings::from_variables(std::env::vars()).map(Arc::new);
        Instance {
            service: Service::new(settings.clone()),
            settings,
            bucket_names: Settings::bucket_names(|name| std::env::var(name).ok()),
        }
    })
}
