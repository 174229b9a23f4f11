//! Whole answers, for evidence.

use serde_json::Value;

use super::super::{Error, Told};
use super::Client;
use crate::container::ContainerId;

impl Client {
    pub(in super::super) async fn tell(
        &self,
        id: Option<&ContainerId>,
        told: &mut Vec<(&'static str, Told)>,
    ) {
        if let Some(id) = id {
            let answer =
                self.whole("/containers/{id}/json", &format!("/containers/{id}/json")).await;
            let image = answer.as_ref().ok().and_then(|answer| answer.get("Image")?.as_str());
            let image = image.map(|image| format!("/images/{image}/json"));
            told.push(("container", answer));
            if let Some(path) = image {
                told.push(("image", self.whole("/images/{name}/json", &path).await));
            }
        }
        told.push(("containers", self.whole("/containers/json", "/containers/json?all=1").await));
        told.push(("images", self.whole("/images/json", "/images/json").await));
    }

    async fn whole(&self, call: &'static str, path: &str) -> Told {
        let answer: Result<Option<Value>, Error> = self.get(call, path).await;
        answer
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "the runtime does not know it".to_owned())
    }
}
