Register-ArgumentCompleter -Native -CommandName beadctl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $option = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }
    $Env:_BEADCTL_COMPLETE = 'complete_powershell'
    $Env:_TYPER_COMPLETE_ARGS = $commandAst.ToString()
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = $wordToComplete
    beadctl | Where-Object { $_ } | ForEach-Object {
        $value, $help = $_ -split ':::', 2
        [System.Management.Automation.CompletionResult]::new("$option$value", $value, 'ParameterValue', $help)
    }
    Remove-Item Env:_BEADCTL_COMPLETE, Env:_TYPER_COMPLETE_ARGS, Env:_TYPER_COMPLETE_WORD_TO_COMPLETE
}
