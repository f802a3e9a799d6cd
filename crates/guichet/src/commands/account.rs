//! `guichet account add|list|show|passwd|suspend|resume|remove`.

use guichet_trace::visible;

use super::asking::{Asking, From};
use super::password;
use crate::cli::{Account as Args, Global};
use crate::control::Request;
use crate::control::requests::Account;
use crate::output::{Outcome, Output};

/// Has the running server do it.
pub(super) async fn run(args: Args, global: &Global, output: &Output<'_>) -> Outcome {
    let asking = Asking::new(global, output)?;
    match args {
        Args::Add(of) => {
            let password = password::new(output, &of.login)?;
            let request = Request::AccountAdd {
                login: of.login.clone(),
                password,
            };
            asking
                .act(&of.login, &request, "control-account-added")
                .await
        }
        Args::Passwd(of) => {
            let password = password::new(output, &of.login)?;
            let request = Request::AccountPasswd {
                login: of.login.clone(),
                password,
            };
            asking
                .act(&of.login, &request, "control-account-password")
                .await
        }
        Args::List => {
            let answers = asking.every(&Request::AccountList).await?;
            list(&answers, &asking, output)
        }
        Args::Show(of) => {
            let request = Request::AccountShow {
                login: of.login.clone(),
            };
            let account: Account = asking.owner(&of.login, &request).await?;
            show(&account, output)
        }
        Args::Suspend(of) => {
            let request = Request::AccountSuspend {
                login: of.login.clone(),
            };
            asking
                .act(&of.login, &request, "control-account-suspended")
                .await
        }
        Args::Resume(of) => {
            let request = Request::AccountResume {
                login: of.login.clone(),
            };
            asking
                .act(&of.login, &request, "control-account-resumed")
                .await
        }
        Args::Remove(of) => {
            let request = Request::AccountRemove {
                login: of.login.clone(),
            };
            asking
                .act(&of.login, &request, "control-account-removed")
                .await
        }
    }
}

fn list(answers: &[From<Vec<Account>>], asking: &Asking<'_>, output: &Output<'_>) -> Outcome {
    if output.json {
        return asking.json_list(answers);
    }
    answers
        .iter()
        .flat_map(|from| &from.answer)
        .try_for_each(|account| show(account, output))
}

fn show(account: &Account, output: &Output<'_>) -> Outcome {
    if output.json {
        return output.json(account);
    }
    let key = if account.suspended {
        "control-account-is-suspended"
    } else {
        "control-account"
    };
    output.line(&output.say(
        key,
        &[
            ("login", &visible(&account.login)),
            ("messages", &account.messages.to_string()),
            ("bytes", &account.bytes.to_string()),
            ("created", &visible(&account.created)),
        ],
    ))
}
