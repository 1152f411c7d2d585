# Statistics of the tables of a folder by R alone, a line of "name value value ..." for each.
say <- function(...) cat(paste(sapply(list(...), function(one) paste(format(one, digits = 15), collapse = " ")), collapse = " "), "\n")
level <- 0.975

counts <- read.csv("counts.csv")$count
for (n in counts) say("poisson", poisson.test(n)$conf.int)

shares <- read.csv("shares.csv")
for (k in seq_len(nrow(shares))) {
  test <- suppressWarnings(prop.test(shares$inside[k], shares$all[k], correct = FALSE))
  say("wilson", test$conf.int)
}

for (group in split(read.csv("groups.csv"), ~group)) {
  x <- group$count
  say("mean", mean(x), sd(x), sd(x) / mean(x), sd(x) / sqrt(length(x)))
  say("student", t.test(x)$conf.int)
  test <- suppressWarnings(chisq.test(x, p = group$area / sum(group$area)))
  say("dispersion", test$statistic / test$parameter, test$p.value)
  root <- 2 * sqrt(x + 3 / 8)
  say("outliers", which(abs(root - median(root)) > 3.5 * max(1, mad(root))) - 1)
}

for (pair in split(read.csv("pairs.csv"), ~pair)) {
  difference <- pair$count - pair$manual
  say("bias", mean(difference), t.test(pair$count, pair$manual, paired = TRUE)$conf.int)
  say("limits", mean(difference) + c(-1, 1) * qnorm(level) * sd(difference))
  n <- nrow(pair)
  moments <- cov(pair[c("count", "manual")]) * (n - 1) / n
  shift <- mean(pair$count) - mean(pair$manual)
  say("concordance", 2 * moments[1, 2] / (moments[1, 1] + moments[2, 2] + shift^2))
  known <- pair$manual > 0
  say("mape", mean(abs(difference[known]) / pair$manual[known]))
}

for (beads in split(read.csv("sizes.csv"), ~set)) {
  d <- beads$diameter
  say("sizes", mean(d), sd(d), quantile(d, c(0.1, 0.5, 0.9), type = 7))
  say("bars", max(nclass.Sturges(d), nclass.FD(d)))
}

# A negative binomial family of fixed over-dispersion; R alone has none.
scattered <- function(alpha) {
  family <- poisson(link = "log")
  if (alpha == 0) return(family)
  family$variance <- function(mu) mu + alpha * mu^2
  family$dev.resids <- function(y, mu, wt) {
    2 * wt * (y * log(ifelse(y == 0, 1, y / mu)) - (y + 1 / alpha) * log((1 + alpha * y) / (1 + alpha * mu)))
  }
  family
}
# Over-dispersion at which the statistic of Pearson is its degrees of freedom; 0 where it is not significant.
about <- function(y, mu, degrees) {
  excess <- function(alpha) sum((y - mu)^2 / (mu + alpha * mu^2)) - degrees
  if (pchisq(excess(0) + degrees, degrees, lower.tail = FALSE) >= 0.05) return(0)
  uniroot(excess, c(0, 50), tol = 1e-10)$root
}
fitted_glm <- function(formula, data) {
  at <- function(alpha) glm(formula, scattered(alpha), data, control = list(epsilon = 1e-12, maxit = 200))
  fit <- at(0)
  alpha <- about(fit$y, fit$fitted.values, fit$df.residual)
  for (round in seq_len(if (alpha > 0) 50 else 0)) {
    fit <- at(alpha)
    alpha <- about(fit$y, fit$fitted.values, fit$df.residual)
  }
  list(fit = fit, alpha = alpha)
}
ends <- function(fit, index) {
  error <- sqrt(diag(summary(fit, dispersion = 1)$cov.unscaled))[index]
  coef(fit)[index] + c(0, -1, 1) * qt(level, fit$df.residual) * error
}
for (series in split(read.csv("series.csv"), ~series)) {
  series$area <- series$area / mean(series$area)
  proportional <- fitted_glm(count ~ 1 + offset(log(area / dilution)), series)
  line <- fitted_glm(count ~ log(dilution) + offset(log(area)), series)
  say("slope", ends(line$fit, 2), line$alpha)
  say("stock", exp(ends(proportional$fit, 1)))
  # Scatter of the fields about the means of their levels, which are those of the Poisson model.
  by_level <- count ~ factor(dilution) + offset(log(area))
  known <- glm(by_level, scattered(0), series, control = list(epsilon = 1e-12))
  alpha <- about(known$y, known$fitted.values, known$df.residual)
  more <- diff(c(
    glm(by_level, scattered(alpha), series)$deviance,
    glm(count ~ 1 + offset(log(area / dilution)), scattered(alpha), series)$deviance
  ))
  say("proportional", pchisq(more, nlevels(factor(series$dilution)) - 1, lower.tail = FALSE))
  total <- aggregate(cbind(count, area) ~ dilution, series, sum)
  residual <- total$count / total$area * total$dilution / exp(coef(proportional$fit)) - 1
  say("index", mean(abs(residual)))
  say("r2", 1 - sum((series$count / series$area - exp(coef(proportional$fit)) / series$dilution)^2) /
    sum((series$count / series$area - mean(series$count / series$area))^2))
  say("r2_log", cor(log(total$dilution), log(total$count / total$area))^2)
}

# Symbolic derivatives of the concentration.
formula <- quote(1e12 * n * factor / (area * depth))
value <- list(n = 80, factor = 20, area = 4e5, depth = 100)
sd <- c(n = 6, factor = 0.8, depth = 3)
slopes <- sapply(names(sd), function(name) eval(D(formula, name), value))
say("concentration", eval(formula, value), qnorm(level) * sqrt(sum((slopes * sd)^2)))
